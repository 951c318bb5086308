package exchange_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
	exchangev1 "github.com/yba-health/yba/proto/gen/yba/exchange/v1"
	"github.com/yba-health/yba/services/exchange"
)

var now = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

func TestStructureDecidesAndSaysWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		kind, typed string
		wantKind    string
		// problem is part of the sentence; empty means valid.
		problem string
		parts   map[string]string
	}{
		"woman of the 20th century": {"cccd", "066 180 012 345", "cccd", "", map[string]string{"province": "066", "sex": "female", "birthYear": "1980"}},
		"man of the 21st century":   {"", "054212000001", "cccd", "", map[string]string{"province": "054", "sex": "male", "birthYear": "2012"}},
		"girl of the 21st century":  {"cccd", "066326000001", "cccd", "", map[string]string{"province": "066", "sex": "female", "birthYear": "2026"}},
		"born next year":            {"cccd", "066227000001", "cccd", "2027", nil},
		"22nd century":              {"cccd", "066400000001", "cccd", "2100", nil},
		"no province":               {"cccd", "000180012345", "cccd", "000", nil},
		"eleven digits":             {"cccd", "06618001234", "cccd", "mới có 11 số", nil},
		"thirteen digits":           {"cccd", "0661800123456", "cccd", "13 số", nil},
		"letter O for a zero":       {"cccd", "O66180012345", "cccd", "chữ O", nil},
		"letters":                   {"cccd", "A66180012345", "cccd", "ký tự khác", nil},
		"full-width digits":         {"cccd", "０６６１８００１２３４５", "cccd", "", map[string]string{"province": "066", "sex": "female", "birthYear": "1980"}},

		"card of 15":               {"bhyt", "te 1 66 0123456789", "bhyt", "", map[string]string{"form": "15", "group": "TE", "benefit": "1", "province": "66", "bhxh": "0123456789"}},
		"card guessed by its form": {"", "DN4010123456789", "bhyt", "", map[string]string{"form": "15", "group": "DN", "benefit": "4", "province": "01", "bhxh": "0123456789"}},
		"insurance by 10 digits":   {"bhyt", "6612345678", "bhyt", "", map[string]string{"form": "10", "bhxh": "6612345678"}},
		"insurance by 12 digits":   {"bhyt", "066180012345", "bhyt", "", map[string]string{"form": "12", "province": "066", "sex": "female", "birthYear": "1980"}},
		"benefit 6":                {"bhyt", "TE6660123456789", "bhyt", "mức hưởng", nil},
		"benefit 0":                {"bhyt", "TE0660123456789", "bhyt", "mức hưởng", nil},
		"digits for the group":     {"bhyt", "111660123456789", "bhyt", "2 chữ cái", nil},
		"letter in the number":     {"bhyt", "TE166O123456789", "bhyt", "chữ O", nil},
		"fourteen characters":      {"bhyt", "TE166012345678", "bhyt", "14 ký tự", nil},

		"social insurance":       {"bhxh", "6612345678", "bhxh", "", map[string]string{"province": "66", "bhxh": "6612345678"}},
		"short social insurance": {"bhxh", "661234567", "bhxh", "mới có 9 số", nil},

		"facility":           {"facility", "66001", "facility", "", map[string]string{}},
		"facility by letter": {"", "79a3f", "facility", "", map[string]string{}},
		"long facility":      {"facility", "660011", "facility", "5 ký tự", nil},
		"facility with đ":    {"facility", "66Đ01", "facility", "5 ký tự", nil},

		"nothing typed": {"cccd", " ", "cccd", "Chưa có số", nil},
		"no known form": {"", "12345678", "", "không giống", nil},
		"unknown kind":  {"vneid", "123", "vneid", "chưa biết loại", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := exchange.Check(c.kind, c.typed, now)
			if got.Kind != c.wantKind {
				t.Errorf("kind %q, want %q", got.Kind, c.wantKind)
			}
			if c.problem == "" {
				if !got.Valid() {
					t.Fatalf("refused: %s", got.Problem)
				}
				if !maps.Equal(got.Parts, c.parts) {
					t.Errorf("parts %v, want %v", got.Parts, c.parts)
				}
				return
			}
			if !strings.Contains(got.Problem, c.problem) {
				t.Errorf("problem %q does not say %q", got.Problem, c.problem)
			}
		})
	}
}

func TestEveryKindHasItsSystem(t *testing.T) {
	s, err := exchange.New(func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]string{
		"cccd": fhir.SystemCCCD, "bhyt": fhir.SystemBHYT, "bhxh": fhir.SystemBHXH, "facility": fhir.SystemFacility,
	} {
		got, err := s.CheckIdentifier(t.Context(), &exchangev1.CheckIdentifierRequest{Kind: kind, Value: "x"})
		if err != nil || got.GetSystem() != want {
			t.Errorf("%s is kept under %q, %v; want %q", kind, got.GetSystem(), err, want)
		}
		if got.GetValid() || got.GetProblem() == "" {
			t.Errorf("%s: a wrong number must be answered with a problem, got %v", kind, got)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{"", "066180012345", "TE1660123456789", "6612345678", "66001", "TÊ1660123456789", "０６６\u200b", "00000A´", "ŉ", "ΐ", "ǰ", "ﬁ"} {
		for _, kind := range []string{"", "cccd", "bhyt", "bhxh", "facility"} {
			f.Add(kind, s)
		}
	}
	f.Fuzz(func(t *testing.T, kind, typed string) {
		c := exchange.Check(kind, typed, now)
		again := exchange.Check(c.Kind, c.Value, now)
		if again.Value != c.Value || again.Valid() != c.Valid() {
			t.Errorf("checking the cleaned value %q again gives %+v after %+v", c.Value, again, c)
		}
		if c.Valid() && (c.System == "" || len(c.Value) > 15) {
			t.Errorf("valid without a system or too long: %+v", c)
		}
	})
}
