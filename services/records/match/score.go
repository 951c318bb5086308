package match

import "math"

// Grade is how sure a match is (http://hl7.org/fhir/R4/valueset-match-grade.html).
type Grade string

// The grades of the standard, the best first.
const (
	Certain      Grade = "certain"
	Probable     Grade = "probable"
	Possible     Grade = "possible"
	CertainlyNot Grade = "certainly-not"
)

// The evidence in bits from which a grade is given. A pair taken at random
// among those that are compared is one person about once in 2^14.
const (
	certainFrom  = 30
	probableFrom = 17
	possibleFrom = 4
)

// Result is what the comparison of two Patients comes to.
type Result struct {
	Grade Grade
	// Bits is the evidence, after the caps that contradictions set.
	Bits float64
}

// Score is the probability that the two are one person, 0 to 1
// (Bundle.entry.search.score).
func (r Result) Score() float64 { return 1 / (1 + math.Exp2(probableFrom-r.Bits)) }

// Compare compares two Patients.
func Compare(a, b *Person) Result {
	own, total := none, 0.0
	for _, x := range a.names {
		for _, y := range b.names {
			// Two guesses agree in what is a first name for both.
			if f, w := compareNames(x, y); own == none || w > total && (!x.guessed || !y.guessed) {
				own, total = f, w
			}
		}
	}
	citizen, born := compareCitizen(a, b), compareBirth(a.birth, b.birth)
	insured := compareLists(a.numbers.insured, b.numbers.insured, sameInsured, otherInsured)
	sex := none
	if a.sex != "" && b.sex != "" {
		sex = otherSex
		if a.sex == b.sex {
			sex = sameSex
		}
	}
	for _, f := range append(comparePlaces(a, b), citizen, insured, born, sex,
		compareLists(a.numbers.oldCard, b.numbers.oldCard, sameOldCard, otherOldCard),
		compareLists(a.numbers.other, b.numbers.other, sameNumber, none),
		compareLists(a.numbers.household, b.numbers.household, sameHousehold, none),
		compareLists(a.phones, b.phones, samePhone, otherPhone)) {
		total += bits(f)
	}
	return grade(total, own, citizen, insured, born, sex)
}

// grade applies what no sum may outweigh. Twins agree in everything but the
// name they are called by; a certain match, which may be joined unseen, must
// not contain a contradiction; an equal citizen number is never nothing.
func grade(total float64, own, citizen, insured, born, sex finding) Result {
	numbered := citizen == sameCitizen || insured == sameInsured
	doubtful := own == otherOwn || own == otherMarks || own == slipOwn || own == initialOwn || own == none || sex == otherSex ||
		citizen == otherCitizen || citizen == slipCitizen || citizen == weakCitizen || insured == otherInsured && citizen != sameCitizen ||
		born == otherBirth || born == nearYear || born == otherDay || born == none
	switch {
	case (own == otherOwn || sex == otherSex) && !numbered:
		total = min(total, probableFrom-1)
	case doubtful:
		total = min(total, certainFrom-1)
	}
	if citizen == sameCitizen || citizen == weakCitizen {
		total = max(total, possibleFrom)
	}
	r := Result{CertainlyNot, total}
	switch {
	case total >= certainFrom:
		r.Grade = Certain
	case total >= probableFrom:
		r.Grade = Probable
	case total >= possibleFrom:
		r.Grade = Possible
	}
	return r
}
