package match

import "math"

// finding is one way in which two records agree or differ.
type finding int

const (
	none finding = iota
	sameCitizen
	weakCitizen
	slipCitizen
	otherCitizen
	sameInsured
	otherInsured
	sameOldCard
	otherOldCard
	sameNumber
	sameHousehold
	sameBirth
	swappedBirth
	slipBirth
	sameYear
	otherDay
	nearYear
	otherBirth
	sameSex
	otherSex
	sameOwn
	bareOwn
	otherMarks
	initialOwn
	slipOwn
	otherOwn
	commonMiddle
	sameMiddle
	initialMiddle
	partMiddle
	slipMiddle
	otherMiddle
	sameFamily
	initialFamily
	variantFamily
	slipFamily
	otherFamily
	samePhone
	otherPhone
	sameCommune
	otherCommune
	sameHamlet
	otherHamlet
	sameHouse
	otherHouse
)

// weights says of each finding how often two records of one person show it
// (same) and how often those of two people do who were compared at all
// (chance). The numbers are estimates for a commune's register, rounded to
// what they can bear; the evaluation in the test holds them to figures.
var weights = [...]struct {
	same, chance float64
	why          string
}{
	none: {1, 1, "nothing is known on one side: no evidence"},

	sameCitizen:   {0.98, 1e-6, "given once for life; the rest is somebody else's number written down"},
	weakCitizen:   {0.50, 1e-3, "the number contradicts the birth year or sex of its own record: perhaps a relative's"},
	slipCitizen:   {0.02, 3e-4, "one digit wrong or two swapped; the numbers of siblings can be near"},
	otherCitizen:  {0.01, 0.99, "given once for life; rarely is one of the two misread beyond a digit"},
	sameInsured:   {0.95, 3e-6, "the ten digits of the social insurance, also within a card's fifteen"},
	otherInsured:  {0.04, 0.99, "one for life, but before 2017 some people were given several"},
	sameOldCard:   {0.90, 2e-5, "nine digits; numbers were given twice by different provinces now and then"},
	otherOldCard:  {0.30, 0.99, "who moved to another province got a new one"},
	sameNumber:    {0.90, 1e-4, "any other number of the same system: unknown quality"},
	sameHousehold: {0.80, 0.10, "shared by all who live together"},

	sameBirth:    {0.90, 2e-4, "one day of 80 years is 1 in 29,000, but twins are, and 1 January is frequent"},
	swappedBirth: {0.01, 5e-5, "day and month changed places"},
	slipBirth:    {0.02, 6e-4, "one digit of an otherwise equal date"},
	sameYear:     {0.90, 0.0125, "one side knows only the year, or writes 1 January for it"},
	otherDay:     {0.02, 0.0125, "the same year, day and month unlike"},
	nearYear:     {0.03, 0.05, "a year or two apart: years were counted by the lunar calendar, or guessed"},
	otherBirth:   {0.004, 0.93, "people know about how old they are"},

	sameSex:  {0.995, 0.5, "half of all people"},
	otherSex: {0.005, 0.5, "a slip of the pen, or somebody else"},

	sameOwn:    {0.95, 0.010, "the name by which one is called, with its tone marks"},
	bareOwn:    {0.95, 0.020, "one side is written without marks: two or three names look alike"},
	otherMarks: {0.02, 0.010, "both are written with marks and differ in them only: Hoà is not Hoá"},
	initialOwn: {0.90, 0.080, "an initial"},
	slipOwn:    {0.03, 0.015, "one letter wrong or two swapped"},
	otherOwn:   {0.01, 0.95, "people do not change the name they are called by"},

	commonMiddle:  {0.90, 0.45, "Thị and Văn say little more than the sex"},
	sameMiddle:    {0.90, 0.04, "a middle name of choice"},
	initialMiddle: {0.90, 0.40, "an initial, mostly T for Thị or V for Văn"},
	partMiddle:    {0.10, 0.10, "one of two middle names left out"},
	slipMiddle:    {0.05, 0.03, "one letter wrong or two swapped"},
	otherMiddle:   {0.03, 0.60, "another middle name"},

	sameFamily:    {0.98, math.NaN(), "chance is the name's own share, see families"},
	initialFamily: {0.90, 0.35, "an initial, mostly N for Nguyễn"},
	variantFamily: {0.01, 0.02, "Hoàng and Huỳnh, Vũ and Võ are one name in the north and the south"},
	slipFamily:    {0.02, 0.02, "one letter wrong or two swapped"},
	otherFamily:   {0.01, 0.85, "family names are kept, in marriage too"},

	samePhone:    {0.70, 0.010, "families share a phone"},
	otherPhone:   {0.40, 0.99, "people change their number"},
	sameCommune:  {0.90, 0.10, "who is compared lives in the caller's communes mostly"},
	otherCommune: {0.20, 0.90, "people move"},
	sameHamlet:   {0.85, 0.15, "one of a handful in the commune"},
	otherHamlet:  {0.20, 0.85, "people move within the commune; hamlets were joined"},
	sameHouse:    {0.70, 0.05, "all lines of the address: family, or neighbours without house numbers"},
	otherHouse:   {0.30, 0.95, "house numbers are given anew, and written in many ways"},
}

// bits is the evidence of a finding.
func bits(f finding) float64 { return math.Log2(weights[f].same / weights[f].chance) }

// families are the shares of Vietnamese family names, without tone marks
// (Lê Trung Hoa, Họ và tên người Việt Nam, 2005; the pairs north/south are
// counted together there and split here by their present frequency).
var families = map[string]float64{
	"nguyen": 0.384, "tran": 0.110, "le": 0.095, "pham": 0.071, "huynh": 0.026, "hoang": 0.025, "phan": 0.045,
	"vu": 0.019, "vo": 0.020, "dang": 0.021, "bui": 0.020, "do": 0.014, "ho": 0.013, "ngo": 0.013, "duong": 0.010, "ly": 0.005,
}

// rare is the share of a family name that is not among the families.
const rare = 0.004

// familyBits is the evidence of an equal family name: little for a frequent one.
func familyBits(folded string) float64 {
	share, ok := families[folded]
	if !ok {
		share = rare
	}
	return math.Log2(weights[sameFamily].same / share)
}
