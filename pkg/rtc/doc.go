// Package rtc forwards audio and video between the people of a room: a
// selective forwarding unit (RFC 7667 section 3.7) on pion/webrtc/v3, which no
// other package imports, so that a later major version is this package's work
// alone.
//
// An [Engine] owns the media port (UDP and ICE-TCP, RFC 6544, on one number).
// A [Room] holds up to six [Seat]s. A seat has two peer connections, so that
// offers never collide: the browser offers the one it publishes on, the server
// offers the one it receives on. Each published [Track] keeps one packet cache
// that all its receivers share; a receiver has only a mapping of sequence
// numbers, and lost packets are sent again from the cache.
//
// What is always true:
//   - no data channel: dtls/v2 draws AES-GCM record nonces at random
//     (CVE-2026-26014); SRTP is not affected;
//   - Opus and VP8 only, one layer for each track; the publisher is asked to
//     send no more than its slowest receiver can take, and a receiver that
//     cannot take even that keeps the sound and loses the pictures;
//   - when a seat leaves, its peer connections, goroutines and caches end.
package rtc
