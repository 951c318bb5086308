package rest

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
	"github.com/yba-health/yba/services/records/subscription"
)

// Description tells what the server offers.
type Description struct {
	Definitions *fhir.Definitions
	Now         func() time.Time
	// Base is the public address of the face.
	Base string
	// Indexer returns the extractor of index rows for this installation.
	Indexer func(ctx context.Context) (*record.Indexer, error)
	// UpdateCreate lets a PUT create under the client's id.
	UpdateCreate bool
	// DeleteMany is how many resources a conditional delete may delete.
	DeleteMany int
	// CORS tells that pages of other origins may call the face.
	CORS bool
	// Enforced reports whether references to and from a type are kept whole.
	Enforced func(typ string) bool
}

// Capabilities returns the CapabilityStatement, or the OpenAPI document. Types,
// search parameters, interactions and operations are those of the tables that
// the service itself works by.
func (d *Description) Capabilities(ctx context.Context, req *recordsv1.CapabilitiesRequest) (*recordsv1.Resource, error) {
	x, err := d.Indexer(ctx)
	if err != nil {
		return nil, err
	}
	switch req.GetForm() {
	case "":
	case "smart":
		return &recordsv1.Resource{Body: smart(strings.TrimSuffix(caller.Base(ctx, d.Base), Prefix))}, nil
	case "openapi":
		body, err := d.openAPI(ctx, x.Number)
		return &recordsv1.Resource{Body: body}, err
	default:
		return nil, fault.New(fault.Invalid, `the form is empty, "openapi" or "smart"`, nil).In("form")
	}
	var b strings.Builder
	b.WriteString(`{"resourceType":"CapabilityStatement","status":"active","date":` + fhir.Quote(fhir.Instant(d.Now())) +
		`,"kind":"instance","software":{"name":"yba records"},"implementation":{"description":"Y Bạ","url":` + fhir.Quote(caller.Base(ctx, d.Base)) +
		`},"fhirVersion":"4.0.1","format":["json","application/fhir+json"],"patchFormat":["application/json-patch+json","application/fhir+json"],` +
		`"rest":[{"mode":"server","security":{"cors":` + strconv.FormatBool(d.CORS) + `,"service":[{"coding":[` +
		`{"system":"http://terminology.hl7.org/CodeSystem/restful-security-service","code":"SMART-on-FHIR"}]}],"extension":[` +
		oauthURIs(strings.TrimSuffix(caller.Base(ctx, d.Base), Prefix)) + `]},"resource":[`)
	many := "single"
	if d.DeleteMany > 1 {
		many = "multiple"
	}
	generic, codes := named("{type}"), codeList(interactions(false))
	referring := d.referring(x.Number)
	for i, typ := range d.Definitions.Types {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('{')
		if typ == "Subscription" {
			b.WriteString(subscription.TopicList())
		}
		b.WriteString(documentation[typ])
		b.WriteString(`"type":"` + typ + `","interaction":[` + codes + `],` +
			`"versioning":"versioned-update","readHistory":true,"updateCreate":` + strconv.FormatBool(d.UpdateCreate) +
			`,"conditionalCreate":true,"conditionalRead":"full-support","conditionalUpdate":true,"conditionalDelete":"` + many + `",` +
			`"referencePolicy":["literal","logical"` + d.enforced(typ) + `]`)
		if list := referring[typ]; len(list) > 0 {
			b.WriteString(`,"searchRevInclude":[` + strings.Join(list, ",") + `]`)
		}
		d.parameters(&b, x.Number, typ)
		b.WriteString(operationList(append(slices.Clone(generic), named(typ)...)))
		b.WriteByte('}')
	}
	b.WriteString(`],"searchParam":[{"name":"_has","type":"special"},{"name":"_list","type":"special"}],"compartment":["` + strings.Join(compartments, `","`) + `"],"interaction":[` + codeList(interactions(true)) + `]` + operationList(named("")) + `}]}`)
	return &recordsv1.Resource{Type: "CapabilityStatement", Body: []byte(b.String()), LastUpdated: fhir.Instant(d.Now())}, nil
}

// documentation tells what a type has of its own.
var documentation = map[string]string{
	"Binary": `"documentation":"A read that asks for no FHIR format returns the content itself, also in ranges; a create or update whose ` +
		`Content-Type is no FHIR format stores the body as content, in the compartment of X-Security-Context.",`,
}

// enforced tells that references to and from a type are kept whole.
func (d *Description) enforced(typ string) string {
	if d.Enforced(typ) {
		return `,"enforced"`
	}
	return ""
}

func codeList(codes []string) string {
	list := make([]string, len(codes))
	for i, c := range codes {
		list[i] = `{"code":"` + c + `"}`
	}
	return strings.Join(list, ",")
}

func operationList(operations [][3]string) string {
	if len(operations) == 0 {
		return ""
	}
	list := make([]string, len(operations))
	for i, op := range operations {
		list[i] = `{"name":"` + op[0] + `","definition":` + fhir.Quote(op[1])
		if op[2] != "" {
			list[i] += `,"documentation":` + fhir.Quote(op[2])
		}
		list[i] += "}"
	}
	return `,"operation":[` + strings.Join(list, ",") + `]`
}

func (d *Description) parameters(b *strings.Builder, number func(typ, code string) int16, typ string) {
	codes := d.offered(number, typ)
	all := d.Definitions.Parameters(typ)
	var references []string
	for _, code := range codes {
		if all[code].Type == "reference" {
			references = append(references, fhir.Quote(typ+":"+code))
		}
	}
	if len(references) > 0 {
		b.WriteString(`,"searchInclude":[` + strings.Join(references, ",") + `]`)
	}
	b.WriteString(`,"searchParam":[`)
	for i, code := range codes {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"name":"` + code + `","type":"` + all[code].Type + `"}`)
	}
	b.WriteByte(']')
}

// referring lists, by the type that is referred to, the parameters whose
// resources a search of it can bring along, quoted for JSON. References that
// may lead to any type are left out: they would be listed for every one.
func (d *Description) referring(number func(typ, code string) int16) map[string][]string {
	list := map[string][]string{}
	for _, typ := range d.Definitions.Types {
		for _, code := range d.offered(number, typ) {
			p := d.Definitions.Parameters(typ)[code]
			if p.Type != "reference" || len(p.Targets) == len(d.Definitions.Types) {
				continue
			}
			for _, target := range p.Targets {
				list[target] = append(list[target], fhir.Quote(typ+":"+code))
			}
		}
	}
	return list
}

// offered lists the search parameters of a type that can be asked for, sorted.
func (d *Description) offered(number func(typ, code string) int16, typ string) []string {
	var codes []string
	for code := range d.Definitions.Parameters(typ) {
		if number(typ, code) != 0 || slices.Contains([]string{"_id", "_lastUpdated", "_text", "_content"}, code) {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	return codes
}

// compartments are those that a search can be within
// (https://hl7.org/fhir/R4/compartmentdefinition.html).
var compartments = []string{
	"http://hl7.org/fhir/CompartmentDefinition/patient", "http://hl7.org/fhir/CompartmentDefinition/encounter",
	"http://hl7.org/fhir/CompartmentDefinition/practitioner", "http://hl7.org/fhir/CompartmentDefinition/device",
	"http://hl7.org/fhir/CompartmentDefinition/relatedPerson",
}
