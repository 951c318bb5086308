// Package notices tells people what happened and what comes next: a booking,
// a doctor who waits, a result. It follows the change log and takes orders of
// other services.
//
// Words: a notice is one thing told to one account; a channel is a way to
// carry it (in the app, Web Push, SMS, e-mail); a subscription is a browser
// that an account allowed to be reached; the outbox holds what a channel has
// still to carry.
//
// Always true:
//   - A notice holds no clinical content: who, when and where, never what for.
//   - The same thing is told once: its key is unique per account.
//   - Notices, outbox and cursor commit together; what could not be carried is
//     tried again, later each time, for a day.
//   - Nothing older than a day is told, so that an import wakes nobody.
//   - Nothing is sent to an address inside the network: a subscription's
//     endpoint comes from a browser and must be https and public.
package notices
