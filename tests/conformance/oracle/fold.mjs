// fold is how strings are compared in searches: without case, tone marks,
// apostrophes and repeated blanks; đ is d
// (https://hl7.org/fhir/R4/search.html#string).
export function fold(s) {
  return s.normalize('NFD').replace(/\p{Mn}/gu, '').replace(/[đĐ]/g, 'd').replace(/['’‘ʼ`´]/g, '').toLowerCase().trim().replace(/\s+/g, ' ')
}

// spoken are further ways in which a name, the family name first, is found:
// from each of its words on and round again, and by its first and last word.
export function spoken(name) {
  const words = fold(name).split(' ')
  if (words.length < 2 || words.length > 8) return []
  const turns = words.map((_, i) => [...words.slice(i), ...words.slice(0, i)].join(' '))
  return words.length > 2 ? [...turns, `${words[0]} ${words.at(-1)}`] : turns
}
