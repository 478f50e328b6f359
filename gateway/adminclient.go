package gateway

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"fhirgate/gateway/adminapi"
)

// NewAdminClient reads where the admin API is from tyk.conf and its secret from
// the data folder; demo means the one of a gateway that runs as a demo.
func NewAdminClient(configFile string, demo bool) (*adminapi.Client, error) {
	config, err := loadConfig(configFile, demo)
	if err != nil {
		return nil, err
	}
	secret, err := os.ReadFile(filepath.Join(config.Settings.DataDir, AdminSecretFile))
	if err != nil {
		return nil, fmt.Errorf("the admin API's secret: %w (has the gateway been started here, by this user?)", err)
	}
	return adminapi.NewClient("http://"+config.Settings.AdminListen, strings.TrimSpace(string(secret))), nil
}
