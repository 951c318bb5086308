// Package match tells how likely two Patients are one person, after Fellegi
// and Sunter (A Theory for Record Linkage, 1969): each thing that agrees or
// differs adds evidence in bits, and the sum decides the grade. It is made for
// Vietnamese records: names without tone marks, family names that a third of
// the people bear, dates of which only the year is known, numbers of which
// several forms are in use.
//
// It knows no database and no access: whoever calls it brings the two records.
package match
