// Command tyk is Tyk as it is, without a plugin: the peer of the benchmark. It
// takes --conf=FILE.
package main

import "github.com/TykTechnologies/tyk/gateway"

func main() { gateway.Start() }
