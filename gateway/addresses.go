package gateway

import (
	"net"

	"fhirgate/gateway/engine"
	"fhirgate/internal/strict"
)

// checkAddresses returns which listeners would find their port taken by another of
// this process.
func checkAddresses(config *engine.Config) strict.Problems {
	const public = "takes the port of the public address (listen_address, listen_port)"
	settings := config.Settings
	var problems strict.Problems
	if clash(settings.AdminListen, config.Address()) {
		problems = append(problems, config.Problem("admin_listen", public))
	}
	if settings.Portal == nil {
		return problems
	}
	if clash(settings.Portal.Listen, config.Address()) {
		problems = append(problems, config.Problem("portal.listen", public))
	}
	if clash(settings.Portal.Listen, settings.AdminListen) {
		problems = append(problems, config.Problem("portal.listen", "takes the port of admin_listen"))
	}
	return problems
}

// clash reports whether one process cannot listen at two addresses. One without a
// host is at all addresses; port 0 is any that is free.
func clash(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	hostA, hostB = listenHost(hostA), listenHost(hostB)
	return hostA == hostB || hostA == "" || hostB == ""
}

// listenHost returns the address of a host where a port is opened, "" for all.
func listenHost(name string) string {
	if name == "localhost" {
		return "127.0.0.1"
	}
	ip := net.ParseIP(name)
	switch {
	case ip == nil:
		return name
	case ip.IsUnspecified():
		return ""
	default:
		return ip.String()
	}
}
