package deps

import (
	_ "github.com/TykTechnologies/tyk/gateway"
	_ "github.com/alicebob/miniredis/v2"
	_ "github.com/fsnotify/fsnotify"
	_ "github.com/go-jose/go-jose/v4"
	_ "github.com/google/go-cmp/cmp"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/redis/go-redis/v9"
	_ "github.com/santhosh-tekuri/jsonschema/v6"
	_ "github.com/spf13/cobra"
	_ "github.com/stretchr/testify/require"
	_ "github.com/tidwall/gjson"
	_ "github.com/tidwall/sjson"
	_ "github.com/evanphx/json-patch/v5"
	_ "go.yaml.in/yaml/v3"
	_ "github.com/failsafe-go/failsafe-go"
	_ "golang.org/x/sync/semaphore"
)
