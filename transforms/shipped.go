package transforms

import "embed"

// Shipped holds the vendor files that come with the gateway, with their tests,
// in its root (dir ".").
//
//go:embed *.yaml
var Shipped embed.FS
