// Package engine embeds Tyk: it starts the gateway inside this process, gives
// it two fixed API definitions, runs our handlers in their hooks and keeps
// what Tyk does by itself away from clients.
//
// Clients never talk to Tyk's own listeners. The engine owns the public one and
// serves it with a net/http server whose handler is Tyk's; Tyk itself listens
// on two unix sockets in a private directory, one for its control API and one
// that is closed again as soon as its handler is known. That way a request
// body reaches our handlers as net/http made it (Tyk would buffer it), an
// aborted answer stays aborted (Tyk would end it cleanly), timeouts are ours,
// and nothing is served before the whole chain has answered a probe.
//
// Only this package imports Tyk. Tyk keeps its state in package variables, so
// a process can start one engine only.
package engine
