// Package docs holds the documentation. Its tests run what the pages show.
//
// The info string of a fenced block says what the tests do with it:
//
//	```sh run          run in the page's shell; it must succeed
//	```sh run fails    run; it must fail
//	```sh run retry    run again, for some seconds, until it shows what it should
//	```output          what the block before must print; … stands for anything
//	```yaml PATH       saved at PATH for the blocks below, and checked as what it is
//	```yaml auth       checked as the upstream.auth of a hospital file
//	```text greeting   what serve --demo prints
//
// All runnable blocks of a page share one shell and one demo of their own, with
// GATEWAY and KEY set and fhirgate on the PATH.
package docs
