// Package coverage shows the health department, commune by commune, who is
// left out: dated indicators over a read model built from the change log.
//
// Words: an indicator is a dated definition with a numerator and a
// denominator; a figure is its value for one commune; a place is the commune
// and hamlet that a person's address names; the geography is the date whose
// communes the figures are shown in; a generation is one build of the read
// model.
//
// Always true:
//   - The read model holds no clinical fact: ids, places, dates, flags.
//   - Cursor and effects of a batch commit together, so every change counts
//     exactly once, in whatever order versions arrive.
//   - A rebuild from zero gives the same figures, and the old generation
//     answers until the new one has caught up.
//   - The figures of the communes, with the one for people whose commune is
//     not known, add up to the total.
//   - A person is never assigned to a commune by guessing, and a share without
//     a denominator is not shown.
package coverage
