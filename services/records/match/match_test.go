package match_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/province"
	"github.com/yba-health/yba/pkg/vitext"
	"github.com/yba-health/yba/services/records/match"
)

// patient is a Patient as the evaluation changes it.
type patient map[string]any

func people(t testing.TB, n int) []patient {
	t.Helper()
	var list []patient
	for b, err := range province.New(province.Config{People: n, Seed: 7}).Bundles() {
		if err != nil {
			t.Fatal(err)
		}
		var bundle struct{ Entry []struct{ Resource patient } }
		if err := json.Unmarshal(b.JSON, &bundle); err != nil {
			t.Fatal(err)
		}
		for _, e := range bundle.Entry {
			if e.Resource["resourceType"] == "Patient" {
				list = append(list, e.Resource)
			}
		}
	}
	return list
}

func value(t testing.TB, p any) fhir.Value {
	t.Helper()
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := fhir.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return doc.Root()
}

func first(p patient, member string) patient {
	if list, ok := p[member].([]any); ok && len(list) > 0 {
		if m, ok := list[0].(map[string]any); ok {
			return m
		}
	}
	return patient{}
}

// slip makes one mistake in a text that is long enough.
func slip(r *rand.Rand, s string) string {
	runes := []rune(s)
	if len(runes) < 3 {
		return s
	}
	i := 1 + r.IntN(len(runes)-2)
	switch r.IntN(3) {
	case 0:
		runes[i], runes[i+1] = runes[i+1], runes[i]
	case 1:
		runes = append(runes[:i], runes[i+1:]...)
	default:
		runes[i] = 'a' + rune(r.IntN(26))
	}
	return string(runes)
}

// perturbations are what happens to a person's particulars when they are
// taken a second time.
var perturbations = []struct {
	name  string
	often float64
	do    func(r *rand.Rand, p patient)
}{
	{"no tone marks", 0.35, func(_ *rand.Rand, p patient) {
		n := first(p, "name")
		text, _ := n["text"].(string)
		p["name"] = []any{map[string]any{"text": strings.ToUpper(vitext.Fold(text))}}
	}},
	{"a slip in the name", 0.10, func(r *rand.Rand, p patient) {
		n := first(p, "name")
		text, _ := n["text"].(string)
		parts := strings.Fields(text)
		i := r.IntN(len(parts))
		parts[i] = slip(r, parts[i])
		p["name"] = []any{map[string]any{"text": strings.Join(parts, " ")}}
	}},
	{"middle name as initial", 0.08, func(_ *rand.Rand, p patient) {
		n := first(p, "name")
		text, _ := n["text"].(string)
		parts := strings.Fields(text)
		for i := 1; i < len(parts)-1; i++ {
			parts[i] = string([]rune(parts[i])[:1]) + "."
		}
		p["name"] = []any{map[string]any{"text": strings.Join(parts, " ")}}
	}},
	{"year only", 0.12, func(_ *rand.Rand, p patient) {
		if s, _ := p["birthDate"].(string); len(s) > 4 {
			p["birthDate"] = s[:4]
		}
	}},
	{"1 January", 0.06, func(_ *rand.Rand, p patient) {
		if s, _ := p["birthDate"].(string); len(s) > 4 {
			p["birthDate"] = s[:4] + "-01-01"
		}
	}},
	{"day and month swapped", 0.06, func(_ *rand.Rand, p patient) {
		if s, _ := p["birthDate"].(string); len(s) == 10 && s[8:] <= "12" {
			p["birthDate"] = s[:5] + s[8:] + "-" + s[5:7]
		}
	}},
	{"another phone", 0.25, func(r *rand.Rand, p patient) {
		p["telecom"] = []any{map[string]any{"system": "phone", "value": fmt.Sprintf("09%08d", r.IntN(100_000_000))}}
	}},
	{"the phone with +84", 0.15, func(_ *rand.Rand, p patient) {
		if s, _ := first(p, "telecom")["value"].(string); s != "" {
			first(p, "telecom")["value"] = "+84 " + s[1:]
		}
	}},
	{"no numbers", 0.35, func(_ *rand.Rand, p patient) { delete(p, "identifier") }},
	{"a slip in the citizen number", 0.05, func(r *rand.Rand, p patient) {
		if s, _ := first(p, "identifier")["value"].(string); len(s) == 12 {
			i := 6 + r.IntN(6)
			first(p, "identifier")["value"] = s[:i] + string('0'+(s[i]-'0'+1)%10) + s[i+1:]
		}
	}},
	{"no sex", 0.10, func(_ *rand.Rand, p patient) { delete(p, "gender") }},
	{"no hamlet", 0.20, func(_ *rand.Rand, p patient) { delete(first(p, "address"), "line") }},
}

func perturbed(t testing.TB, r *rand.Rand, p patient) patient {
	t.Helper()
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var q patient
	if err := json.Unmarshal(b, &q); err != nil {
		t.Fatal(err)
	}
	delete(q, "id")
	for _, x := range perturbations {
		if r.Float64() < x.often {
			x.do(r, q)
		}
	}
	return q
}

// confusing are keys that a person shares with people who are easily taken for
// the same: of the house, of the name, of the day or the phone, and of the
// year who are called alike.
func confusing(p patient) []string {
	id, _ := p["id"].(string)
	text, _ := first(p, "name")["text"].(string)
	birth, _ := p["birthDate"].(string)
	phone, _ := first(p, "telecom")["value"].(string)
	words := strings.Fields(vitext.Fold(text))
	return []string{"house " + id[:len("patient-00000")], "name " + vitext.Fold(text), "day " + birth, "phone " + phone, "own " + words[len(words)-1] + birth[:4]}
}

// TestHowWellPeopleAreFoundAgain measures the grades over a made-up province:
// each second registration is compared with the first one, and with everybody
// who is easily confused with the person.
func TestHowWellPeopleAreFoundAgain(t *testing.T) {
	list := people(t, 4000)
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same every time
	persons := make([]*match.Person, len(list))
	groups := map[string][]int{}
	for i, p := range list {
		persons[i] = match.Of(value(t, p))
		for _, key := range confusing(p) {
			groups[key] = append(groups[key], i)
		}
	}
	right, wrong := map[match.Grade]int{}, map[match.Grade]int{}
	var missed []string
	for i, p := range list {
		q := value(t, perturbed(t, r, p))
		asked := match.Of(q)
		got := match.Compare(asked, persons[i])
		right[got.Grade]++
		if got.Grade != match.Certain && got.Grade != match.Probable && len(missed) < 5 {
			missed = append(missed, fmt.Sprintf("%.1f bits: %s", got.Bits, q.Raw()))
		}
		others := map[int]bool{}
		for range 4 {
			others[r.IntN(len(list))] = true // anybody
		}
		for _, key := range confusing(p) {
			for _, j := range groups[key][:min(len(groups[key]), 60)] {
				others[j] = true
			}
		}
		delete(others, i)
		for j := range others {
			wrong[match.Compare(asked, persons[j]).Grade]++
		}
	}
	pairs := wrong[match.Certain] + wrong[match.Probable] + wrong[match.Possible] + wrong[match.CertainlyNot]
	found := float64(right[match.Certain]+right[match.Probable]) / float64(len(list))
	precision := float64(right[match.Probable]) / float64(right[match.Probable]+wrong[match.Probable])
	t.Logf("%d people registered again: certain %d, probable %d, possible %d, not %d; recall of certain and probable %.2f %%",
		len(list), right[match.Certain], right[match.Probable], right[match.Possible], right[match.CertainlyNot], 100*found)
	t.Logf("%d pairs of other people who are easily confused: certain %d, probable %d, possible %d; precision of probable %.2f %%",
		pairs, wrong[match.Certain], wrong[match.Probable], wrong[match.Possible], 100*precision)
	if pairs < 10_000 || wrong[match.Certain] > 0 {
		t.Errorf("%d of %d false pairs are certain", wrong[match.Certain], pairs)
	}
	if found < 0.97 {
		t.Errorf("recall %.4f; missed were %s", found, strings.Join(missed, "\n"))
	}
	if precision < 0.80 {
		t.Errorf("precision of probable %.4f", precision)
	}
	if share := float64(right[match.Certain]) / float64(len(list)); share < 0.80 {
		t.Errorf("only %.4f are certain", share)
	}
}
