package engine

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"plugin"
	"runtime"
	"strings"

	"github.com/TykTechnologies/tyk/gateway"

	"fhirgate/plugins"
	"fhirgate/plugins/hookreg"
)

// pluginPath is what the definitions name. Tyk looks for a file with its
// version and platform in the name first, and warns when there is none.
const pluginPath = "fhirgate.so"

func (w *workspace) pluginFile() string {
	version, _, _ := strings.Cut(gateway.VERSION, "-")
	if !strings.HasPrefix(version, "v") {
		version = "v" + version
	}
	name := strings.TrimSuffix(pluginPath, ".so")
	return w.path(fmt.Sprintf("%s_%s_%s_%s.so", name, version, runtime.GOOS, runtime.GOARCH))
}

// writePlugin writes the embedded plugin and proves that Tyk will be able to
// use it. Tyk would start without it all the same and answer 500 to everything.
func (w *workspace) writePlugin() error {
	object, err := plugins.Object()
	if err != nil {
		return err
	}
	if err := os.WriteFile(w.pluginFile(), object, 0o700); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	return tryPlugin(w.pluginFile())
}

// tryPlugin opens the plugin at path and calls each of its hooks once, to see
// that they reach this process's hookreg and no copy of it.
func tryPlugin(path string) error {
	opened, err := plugin.Open(path)
	if err != nil {
		return fmt.Errorf("the plugin cannot be loaded from the data folder: either it does not fit this binary (run make build), or the folder is on a file system mounted noexec: %w", err)
	}
	for symbol, hook := range map[string]*http.HandlerFunc{
		"FHIR": &hookreg.FHIR, "Root": &hookreg.Root, "Auth": &hookreg.Auth,
	} {
		found, err := opened.Lookup(symbol)
		if err != nil {
			return fmt.Errorf("engine: the plugin is of another version, run make build: %w", err)
		}
		call, ok := found.(func(http.ResponseWriter, *http.Request))
		if !ok {
			return fmt.Errorf("engine: the plugin is of another version, run make build: %s is a %T", symbol, found)
		}
		saved, called := *hook, false
		*hook = func(http.ResponseWriter, *http.Request) { called = true }
		call(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		*hook = saved
		if !called {
			return fmt.Errorf("engine: the plugin %s does not reach this process", filepath.Base(path))
		}
	}
	return nil
}
