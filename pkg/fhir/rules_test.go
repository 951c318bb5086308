package fhir

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// own are the rules whose Go says more than the official expression, with the
// reason; the test does not compare them.
var own = map[string]string{
	"txt-1": "htmlChecks() is not defined in FHIRPath",
	"txt-2": "htmlChecks() is not defined in FHIRPath",
	"ctm-1": "the type in a literal reference is believed, which FHIRPath would resolve",
}

// rulesOf lists every rule in Go, once.
func rulesOf(d *Definitions) []*rule {
	var list []*rule
	add := func(rules []*rule) {
		for _, r := range rules {
			if r.check != nil && own[r.key] == "" && !slices.Contains(list, r) {
				list = append(list, r)
			}
		}
	}
	for _, o := range d.owners {
		add(o.rules)
		for _, e := range o.elements {
			add(e.rules)
		}
	}
	return list
}

// compare walks a resource and compares every rule in Go with FHIRPath's
// evaluation of the official expression, at every element it is for.
type compare struct {
	*testing.T
	checker
	// told counts by rule how often it held and how often it did not.
	told map[string]*[2]int
}

func (x *compare) rules(v Value, rules []*rule, typ string) {
	for _, r := range rules {
		if r.check == nil || own[r.key] != "" {
			continue
		}
		goHolds := r.check(&x.checker, v)
		official, err := x.official(v, r, typ)
		if err != nil {
			// A broken element may not be one that the expression can speak of.
			continue
		}
		if x.told[r.path+" "+r.key] == nil {
			x.told[r.path+" "+r.key] = new([2]int)
		}
		if goHolds != official {
			x.Errorf("%s %s: Go says %t, FHIRPath %t of %s: %.300s", r.path, r.key, goHolds, official, r.expression, v.Raw())
		}
		i := 0
		if official {
			i = 1
		}
		x.told[r.path+" "+r.key][i]++
	}
}

func (x *compare) walk(v Value, o *owner) {
	if o == nil || v.Kind() != Object {
		return
	}
	x.rules(v, o.rules, o.name)
	for name, m := range v.Members() {
		known, ok := o.byName[strings.TrimPrefix(name, "_")]
		if !ok {
			continue
		}
		for item := range m.Items() {
			switch {
			case item.Kind() == Null:
			case strings.HasPrefix(name, "_"):
				x.walk(item, x.d.owners["Element"])
			case known.typ == "Resource":
				x.resourceAt(item, known.element.Name == "contained")
			default:
				x.rules(item, known.element.rules, known.typ)
				x.walk(item, known.owner)
			}
		}
	}
}

func (x *compare) resourceAt(v Value, contained bool) {
	resource, root := x.resource, x.root
	x.resource = v
	if !contained {
		x.root = v
	}
	x.walk(v, x.d.owners[v.Get("resourceType").Str()])
	x.resource, x.root = resource, root
}

// seeds are resources with what the rules are about, where the shared data
// shows none of it.
var seeds = []string{
	`{"resourceType":"Patient","contact":[{"name":{"text":"x"},"gender":"male"}],"identifier":[{"period":{"start":"2020-01-01","end":"2021"},"value":"1"}],"telecom":[{"system":"phone","value":"1","period":{"start":"2020-01-01T00:00:00Z","end":"2019-12-31T00:00:00Z"}}],"photo":[{"data":"AAAA","contentType":"image/png"}]}`,
	`{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"a","code":"b"}]},"valueQuantity":{"value":1,"system":"s","code":"c"},"dataAbsentReason":{"text":"x"},"component":[{"code":{"coding":[{"code":"b","system":"a"}]}}],"referenceRange":[{"low":{"value":1},"high":{"value":2},"text":"x"}]}`,
	`{"resourceType":"Condition","subject":{"reference":"Patient/1"},"category":[{"text":"problem-list-item"}],"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"resolved"}]},"verificationStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-ver-status","code":"entered-in-error"}]},"abatementString":"x","onsetRange":{"low":{"value":1},"high":{"value":3}},"stage":[{"summary":{"text":"a"},"type":{"text":"x"}}],"evidence":[{"code":[{"text":"a"}],"id":"e"}]}`,
	`{"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/1"},"clinicalStatus":{"text":"x"},"verificationStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-verification","code":"entered-in-error"}]}}`,
	`{"resourceType":"Organization","identifier":[{"value":"1"}],"name":"A","telecom":[{"system":"phone","value":"1","use":"home"}],"address":[{"use":"home","text":"x"}]}`,
	`{"resourceType":"Group","type":"person","actual":true,"member":[{"entity":{"display":"x"}}]}`,
	`{"resourceType":"Appointment","status":"cancelled","start":"2020-01-01T00:00:00Z","end":"2020-01-01T00:00:00Z","cancelationReason":{"text":"x"},"participant":[{"status":"accepted","actor":{"display":"x"},"type":[{"text":"x"}]}]}`,
	`{"resourceType":"AppointmentResponse","appointment":{"display":"x"},"participantStatus":"accepted","actor":{"display":"x"},"participantType":[{"text":"x"}]}`,
	`{"resourceType":"AuditEvent","entity":[{"name":"x","query":"AAAA","what":{"display":"x"}}]}`,
	`{"resourceType":"List","status":"current","mode":"working","emptyReason":{"text":"x"},"entry":[{"deleted":true,"date":"2020","item":{"display":"x"}}]}`,
	`{"resourceType":"Consent","status":"active","scope":{"coding":[{"system":"something","code":"patient-privacy"},{"system":"something","code":"research"},{"system":"something","code":"adr"},{"system":"something","code":"treatment"}]},"patient":{"display":"x"},"policyRule":{"text":"x"},"policy":[{"uri":"a"}]}`,
	`{"resourceType":"Task","status":"draft","intent":"order","authoredOn":"2020-01-02","lastModified":"2020-01-01"}`,
	`{"resourceType":"Parameters","parameter":[{"name":"a","valueString":"x","resource":{"resourceType":"Basic","code":{"text":"x"}}},{"name":"b","part":[{"name":"c","valueString":"x"}],"valueCode":"d"},{"name":"e"}]}`,
	`{"resourceType":"Bundle","type":"document","total":1,"timestamp":"2020-01-01T00:00:00Z","identifier":{"system":"a","value":"b"},"entry":[{"fullUrl":"http://a/_history/1","search":{"mode":"match"},"request":{"method":"GET","url":"a"},"response":{"status":"200"},"resource":{"resourceType":"Composition"}},{"fullUrl":"http://a/_history/1","resource":{"resourceType":"Basic"}}]}`,
	`{"resourceType":"Bundle","type":"message","entry":[{"resource":{"resourceType":"MessageHeader"}}]}`, `{"resourceType":"Bundle","type":"message","entry":[{"resource":{"resourceType":"Basic"}}]}`,
	`{"resourceType":"Bundle","type":"transaction-response","entry":[{"response":{"status":"200"}},{"link":[{"relation":"self","url":"a"}]}]}`, `{"resourceType":"Bundle","type":"searchset","total":0,"entry":[{"search":{"mode":"match"}}]}`,
	`{"resourceType":"Immunization","status":"completed","education":[{"documentType":"x","reference":"http://a","publicationDate":"2020"}]}`,
	`{"resourceType":"MedicationAdministration","dosage":{"dose":{"value":1},"rateQuantity":{"value":1},"text":"x"}}`,
	`{"resourceType":"MedicationDispense","whenPrepared":"2020-01-02","whenHandedOver":"2020-01-01","dosageInstruction":[{"timing":{"repeat":{"boundsDuration":{"value":1,"system":"http://unitsofmeasure.org","code":"d"},"count":1,"countMax":2,"duration":-1,"durationMax":2,"durationUnit":"h","period":-1.5,"periodMax":2,"periodUnit":"d","timeOfDay":["08:00:00"],"when":["C","MORN"],"offset":5}},"doseAndRate":[{"rateRatio":{"numerator":{"value":1},"denominator":{"value":2}},"doseRange":{"low":{"value":3,"unit":"a"},"high":{"value":1,"unit":"a"}}}]}]}`,
	`{"resourceType":"CarePlan","activity":[{"detail":{"status":"draft"},"reference":{"display":"x"}}]}`,
	`{"resourceType":"Goal","target":[{"detailString":"x","measure":{"text":"x"}}]}`,
	`{"resourceType":"ServiceRequest","orderDetail":[{"text":"x"}],"code":{"text":"x"}}`,
	`{"resourceType":"FamilyMemberHistory","ageString":"x","bornString":"x","estimatedAge":true}`,
	`{"resourceType":"Composition","section":[{"text":{"status":"empty","div":"<div>x</div>"},"entry":[{"display":"x"}],"emptyReason":{"text":"x"},"section":[{"title":"x"}]}]}`,
	`{"resourceType":"QuestionnaireResponse","item":[{"linkId":"1","answer":[{"valueString":"x"}],"item":[{"linkId":"2"}]}]}`,
	`{"resourceType":"Observation","text":{"status":"empty","div":"<div>x</div>"},"referenceRange":[{"text":"x","type":{"text":"y"}}]}`,
	`{"resourceType":"List","mode":"snapshot","entry":[{"date":"2020","deleted":false,"item":{"display":"x"}}]}`,
	`{"resourceType":"Group","actual":false,"member":[{"entity":{"display":"x"}}]}`,
	`{"resourceType":"Appointment","status":"booked","cancelationReason":{"text":"x"},"start":"2020-01-01T00:00:00Z","end":"2020-01-01T00:00:00Z"}`,
	`{"resourceType":"Condition","category":[{"text":"problem-list-item"}],"clinicalStatus":{"text":"x"},"onsetAge":{"value":1,"code":"a","system":"b"}}`,
	`{"resourceType":"Basic","code":{"text":"x"},"extension":[{"url":"a","valueString":"x","extension":[{"url":"b","valueCount":{"value":1,"code":"1","system":"http://unitsofmeasure.org"}},{"url":"c","valueDistance":{"value":1,"code":"m","system":"http://unitsofmeasure.org"}}]}]}`,
	`{"resourceType":"PlanDefinition","action":[{"condition":[{"kind":"start","expression":{"language":"a","expression":"b","reference":"c"}}]}]}`,
}

// mutants are a resource with one member or item left out, at every place.
func mutants(v Value) [][]byte {
	out := [][]byte{v.Raw()}
	base := v.node().start
	for i := range v.d.nodes {
		n := &v.d.nodes[i]
		if n.start <= base || n.end > v.node().end || n.parent < 0 {
			continue
		}
		from, to := n.start, n.end
		if v.d.nodes[n.parent].kind == Object {
			from = n.keyStart - 1
		}
		raw := v.d.src
		left, right := bytes.TrimRight(raw[base:from], " \t\r\n"), bytes.TrimLeft(raw[to:v.node().end], " \t\r\n")
		if bytes.HasPrefix(right, []byte(",")) {
			right = right[1:]
		} else {
			left = bytes.TrimSuffix(left, []byte(","))
		}
		// What is left empty is no FHIR; its rules need not be asked.
		if m := slices.Concat(left, right); !bytes.Contains(m, []byte("{}")) && !bytes.Contains(m, []byte("[]")) {
			out = append(out, m)
		}
	}
	return out
}

func TestRulesInGoSayWhatTheirExpressionsSay(t *testing.T) {
	d, err := R4()
	if err != nil {
		t.Fatal(err)
	}
	x := &compare{T: t, checker: checker{d: d}, told: map[string]*[2]int{}}
	check := func(src []byte) {
		doc, err := Parse(src)
		if err != nil {
			t.Fatalf("%v in %s", err, src)
		}
		x.resourceAt(doc.Root(), false)
	}
	for _, s := range seeds {
		doc, err := Parse([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		list := mutants(doc.Root())
		for _, m := range list {
			check(m)
		}
		// Two members left out.
		rnd := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same every time
		for range 300 {
			again, err := Parse(list[rnd.IntN(len(list))])
			if err != nil {
				t.Fatal(err)
			}
			more := mutants(again.Root())
			check(more[rnd.IntN(len(more))])
		}
	}
	for _, r := range rulesOf(d) {
		told := x.told[r.path+" "+r.key]
		if told == nil || told[0] == 0 || told[1] == 0 {
			t.Errorf("%s %s was not seen both to hold and to break: %v", r.path, r.key, fmt.Sprint(told))
		}
	}
}

func TestRulesInGoAgreeOnRealResources(t *testing.T) {
	d, err := R4()
	if err != nil {
		t.Fatal(err)
	}
	x := &compare{T: t, checker: checker{d: d}, told: map[string]*[2]int{}}
	seen := map[string]int{}
	for _, glob := range []string{examples, synthea} {
		for _, list := range resources(t, glob) {
			for _, v := range list {
				if typ := v.Get("resourceType").Str(); seen[typ] < 40 {
					seen[typ]++
					x.resourceAt(v, false)
				}
			}
		}
	}
}

func TestEveryInvariantIsReadAndEvaluated(t *testing.T) {
	d, err := R4()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := Parse([]byte(`{"resourceType":"Basic"}`))
	if err != nil {
		t.Fatal(err)
	}
	c := checker{d: d, resource: doc.Root(), root: doc.Root()}
	for _, o := range d.owners {
		for _, r := range o.rules {
			if r.check != nil {
				continue
			}
			if _, err := c.official(doc.Root(), r, o.name); err != nil {
				t.Errorf("%s %s [%s]: %v", r.path, r.key, r.expression, err)
			}
		}
	}
}
