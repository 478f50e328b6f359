package main

import (
	"context"
	_ "embed"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"fhirgate/internal/freeport"
)

//go:embed nginx.conf
var nginxConf string

// nginxModules is where Debian keeps nginx's dynamic modules.
const nginxModules = "/usr/lib/nginx/modules"

// nginxLua starts nginx with a configuration that does fhirgate's job by hand.
func (b *bench) nginxLua(ctx context.Context, name string) (*row, error) {
	if _, err := exec.LookPath("nginx"); err != nil {
		return nil, &missingError{"nginx is not installed"}
	}
	if _, err := os.Stat(nginxModules + "/ngx_http_lua_module.so"); err != nil {
		return nil, &missingError{"nginx's Lua module is not installed (libnginx-mod-http-lua)"}
	}
	address, err := freeport.Address()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "nginx-")
	if err != nil {
		return nil, err
	}
	const key = "fg_1234567890123456789012345678901234567890123"
	conf := strings.NewReplacer(
		"@modules@", nginxModules, "@dir@", dir, "@listen@", address, "@hospital@", b.hospital,
		"@from@", b.hospitalBase(), "@to@", "http://"+address+hospitalPath, "@key@", key, "@token@", hospitalToken,
	).Replace(nginxConf)
	if err := writeFiles(dir, map[string]any{"nginx.conf": conf}); err != nil {
		return nil, err
	}
	p, err := b.start("nginx", gatewayCore, nil, "nginx", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
	if err != nil {
		return nil, err
	}
	r := &row{base: "http://" + address + hospitalPath, key: "Bearer " + key, rewrite: true, gateway: p}
	return r, p.answers(ctx, r.base+readPath, r.key, http.StatusOK)
}
