// Package policy holds the tests that join the contracts with the access
// policy: nothing can be called that no rule speaks of, and no rule speaks of
// what cannot be called.
package policy
