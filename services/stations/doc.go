// Package stations is the work of a commune health station: the
// administrative units, the households and people of a commune, visits,
// immunizations, and the list of the day.
//
// Words: a client id is the name a device gives to one thing the nurse
// entered; an entry is what became of it; the ledger keeps entries. A
// commune's key is code and day, "95012@2025-07-01" (package units).
//
// Always true:
//   - Clinical facts live in records and nowhere else. The tables here hold
//     units, the ledger, and a read model of who is due for which vaccination
//     that can be rebuilt from the change log; none holds a name.
//   - A client id has one outcome: sent again, it is answered as the first
//     time and nothing is written twice, even if the first answer was lost
//     between two writes.
//   - A nurse reads and writes as herself, so that records decides whether the
//     person lives in her commune. Only for the household list, which is in
//     nobody's compartment, does the service act for her, after it has checked
//     the commune.
package stations
