// Package access knows the people who use the system, what they may do, and
// who did what.
//
// Its words: an account is one person's way in; a session is a sign-in of that
// person in a browser; a grant is what one app got out of a session. A
// relation joins an account with a patient, as guardian or as one who treats,
// for a period and a reason. A decision is a scope: it says which records an
// operation may reach. The audit log holds every access and every refusal.
//
// What is always true: a decision rests on the account, roles and relations as
// they are in the database now, never on what a token or a caller says; a
// disabled account and an ended session are refused from the next decision on;
// who is bound to a Patient that was merged into another reaches the other as
// long as the merge stands, which is read from records and from nothing else;
// the audit log only grows, and every entry is chained to the one before it;
// passwords and activation codes are kept as argon2id hashes only.
package access
