// Package budget counts what one hospital may be asked, for all nodes together:
// requests in a time, calls at a time, and the pauses that the hospital itself
// asks for. What is counted lives in Redis and is changed by scripts only, one
// round trip a call, on Redis' own clock.
//
// # Requests
//
// A log of the calls granted holds their times, so that no sliding window, wherever
// it begins, holds more than Limits.Requests. The window is Limits.Per and a
// twentieth of it more, at most a second: the time that calls may differ in on
// their way to the hospital. A grant that is that late already when it comes from
// Redis is given back and asked for anew. Up to 4,096 requests a window the log is exact; above,
// calls are counted in steps of a thousandth of the window, each as if made at its
// end, which is never too many and at most a thousandth too few.
//
// # Fairness
//
// A consumer may take a request that is left unless others who have had fewer in
// this window, and are asking, need it to catch up. So those who ask for more than
// their share get the same number each, what one does not ask for is the others',
// one alone has the whole budget, and a newcomer comes first as soon as anything is
// left. How much others need is estimated from how often they asked lately: in the
// last thirtieth of the window, between 20 ms and a second.
//
// What has been granted is not taken back: who comes when another has used the
// whole budget waits until the first of it leaves the window. Some requests are
// reserved for the gateway's own calls, those for tokens ([WithReserve]).
//
// # Waiting
//
// A call that finds nothing left gets a turn: when its request will be free, given
// those that wait before it. When that is soon enough it waits, asks again then, and
// is granted in most cases; otherwise Retry-After tells its turn. Turns are kept
// in mind for as long as Retry-After is rounded up and a little more, so that calls
// that come back when told to pass. The line is ten windows long; beyond, all are
// told its end.
//
// # Concurrency
//
// A call under way holds a lease, renewed while it is held, so that those of a node
// that died come free after [DefaultLease]. A place that comes free is kept for
// those who wait and hold fewer than the one who asks, so that no consumer holds all
// while others wait. The gateway's own calls hold no lease: they go to the
// hospital's authorisation server, one at a time, and a call that holds a lease may
// need one to go on.
//
// # When Redis fails
//
// Without Redis nothing is granted. Redis losing its last moments (a failover, the
// embedded store killed) forgets the calls granted in them, and the leases
// of calls under way are not made anew.
package budget
