// Package load proves what the suite does under load: figures by `yba bench`
// (README.md) and, in kill_test.go, that killing the server during an import
// loses nothing acknowledged and leaves nothing half done.
package load
