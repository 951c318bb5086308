// fold is how strings are compared in searches: without case, tone marks and
// repeated blanks; đ is d (https://hl7.org/fhir/R4/search.html#string).
export function fold(s) {
  return s.normalize('NFD').replace(/\p{Mn}/gu, '').replace(/[đĐ]/g, 'd').toLowerCase().trim().replace(/\s+/g, ' ')
}
