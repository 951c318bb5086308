// Package contract proves that the suite keeps one contract in both of its
// forms: every service in one process, and every service in a process of its
// own that calls the others over gRPC. The same cases run against both.
package contract
