// Package province makes up a province: units, facilities, people and years of
// their health records, as FHIR R4 transaction bundles. It is what `yba demo`
// loads and what load tests send.
//
// Everything is invented. Tỉnh Sông Hiền and its codes (99, 99001 and so on)
// lie outside the official lists, citizen numbers begin with the unassigned
// 099, and telephone numbers with 01, a range that Viet Nam gave back in 2018.
//
// What is always true:
//   - The same Config gives the same bytes, on every machine of one architecture.
//   - Ids are readable and fixed (Patient/patient-00012-3), and every entry is
//     a PUT, so that a second load changes versions but doubles nobody.
//   - References lead to resources of the same bundle or of the first bundle.
//   - Some people exist only in the official population counts: they are the
//     ones whom the coverage figures miss.
package province
