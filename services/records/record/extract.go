package record

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
)

// Zone is how dates without a time zone are read: Vietnam has one zone and no
// summer time.
var Zone = time.FixedZone("+07:00", 7*3600)

// Patient returns the id of the Patient in whose compartment the resource is,
// "" for a shared one (https://hl7.org/fhir/R4/compartmentdefinition-patient.html).
func (x *Indexer) Patient(resource fhir.Value, id string) string {
	typ := resource.Get("resourceType").Str()
	if typ == "Patient" {
		return id
	}
	found := ""
	if typ == "Binary" {
		// No compartment lists it; see Proxy for other contexts than a Patient.
		return patientIn(resource.Get("securityContext"))
	}
	t := x.types[typ]
	if t == nil {
		return ""
	}
	for _, p := range t.compartment {
		for _, path := range p.Paths {
			path.Walk(resource, func(v fhir.Value) {
				if found == "" {
					found = patientIn(v)
				}
			})
		}
		if found != "" {
			return found
		}
	}
	return ""
}

// patientIn returns the id of the Patient that a Reference names as Patient/id.
func patientIn(reference fhir.Value) string {
	ref, ok := strings.CutPrefix(reference.Get("reference").Str(), "Patient/")
	if !ok {
		return ""
	}
	id, _, _ := strings.Cut(ref, "/")
	return id
}

// Elsewhere returns the reference by which a resource without a compartment
// names a Patient of another server, or of this one by a URL.
func (x *Indexer) Elsewhere(resource fhir.Value) (at fhir.Value, found bool) {
	t := x.types[resource.Get("resourceType").Str()]
	if t == nil {
		return at, false
	}
	for _, p := range t.compartment {
		for _, path := range p.Paths {
			path.Walk(resource, func(v fhir.Value) {
				ref := v.Get("reference")
				if s := ref.Str(); !found && strings.Contains(s, "://") && strings.Contains(s, "/Patient/") {
					at, found = ref, true
				}
			})
		}
	}
	return at, found
}

// Closed is the compartment of what may be about a person whom nobody can
// tell from it. Only who reaches everything reaches it.
const Closed int64 = math.MinInt64

// open are the types that may be about nobody although they can lie in a
// patient's compartment: households, lists, hours, sums, devices of the house.
var open = []string{"Group", "List", "Schedule", "MeasureReport", "Device"}

// wrapped are the types in no patient's compartment that carry, or point at,
// whatever somebody puts into them.
var wrapped = []string{
	"Binary", "Bundle", "Parameters", "MessageHeader", "OperationOutcome", "Linkage", "VerificationResult", "TestReport",
	"PaymentNotice", "PaymentReconciliation", "EnrollmentResponse", "BiologicallyDerivedProduct", "DeviceMetric",
}

// unnamed places a resource that names no Patient of this server. Where it may
// still be about one, since its subject is absent, contained, a name, or
// another part of somebody's record, it lies in the closed compartment. With a
// device or a group as its subject it lies where that lies, and with a place,
// an organization or a substance in the shared one.
func (x *Indexer) unnamed(resource fhir.Value) (h Home) {
	typ := resource.Get("resourceType").Str()
	t := x.types[typ]
	if t == nil || len(t.compartment) == 0 {
		h.Nobodys = slices.Contains(wrapped, typ)
		return h
	}
	another, somebody := slices.Contains(open, typ), false
	for i, p := range t.compartment {
		for _, path := range p.Paths {
			path.Walk(resource, func(v fhir.Value) {
				ref, literal := x.Literal(v.Get("reference").Str())
				switch {
				case !literal:
					somebody = true
				case i > 0 || path.Target != "":
				case typ == "Group": // of devices, or of groups
					another = true
				case x.Leads(ref.Type):
					if !h.Proxied {
						h.Proxied, h.Proxy = true, Ref{Type: ref.Type, Target: ref.Target}
					}
				case x.Movable(ref.Type):
					somebody = true
				default:
					another = true
				}
			})
		}
	}
	if somebody || !another && !h.Proxied {
		return Home{Nobodys: true}
	}
	return h
}

// Commune returns the key of the commune that the resource's address names
// (code@version), or "".
func Commune(resource fhir.Value) string {
	if c := unit(resource); c != "" {
		return c
	}
	for address := range resource.Get("address").Items() {
		if c := unit(address); c != "" {
			return c
		}
	}
	return ""
}

func unit(v fhir.Value) string {
	for e := range v.Get("extension").Items() {
		if e.Get("url").Str() != fhir.ExtensionUnit {
			continue
		}
		c := e.Get("valueCoding")
		if code := c.Get("code").Str(); code != "" {
			return code + "@" + c.Get("version").Str()
		}
	}
	return ""
}

// Undated is the own date of what has none: older than everything, so that
// the newest come first and it comes last.
const Undated = math.MinInt64

// Extract returns the index rows and the resource's own date in microseconds
// since 1970, Undated without one.
func (x *Indexer) Extract(resource fhir.Value) (Rows, int64) {
	var r Rows
	at := int64(Undated)
	typ := resource.Get("resourceType").Str()
	t := x.types[typ]
	if t == nil {
		return r, Undated
	}
	for i := range t.params {
		p := &t.params[i]
		if p.number == 0 && p.identifier == 0 {
			continue // others have its rows
		}
		before := len(r.Dates)
		switch {
		case len(p.Paths) > 0 && p.Paths[0].Exists:
			r.exists(p, resource)
		case p.Type == "composite":
			x.composite(&r, p, resource)
		default:
			for j := range p.Paths {
				path := &p.Paths[j]
				path.Walk(resource, func(v fhir.Value) { x.add(&r, p, p.Type, path, v) })
			}
		}
		if p.Parameter == t.main && len(r.Dates) > before {
			at = r.Dates[before].Low
			if at <= fhir.FarPast.UnixMicro() {
				at = r.Dates[before].High
			}
		}
	}
	r.dedupe()
	x.others(&r, resource)
	return r, at
}

func (r *Rows) dedupe() {
	slices.SortFunc(r.Tokens, func(a, b Token) int {
		if a.Param != b.Param {
			return int(a.Param) - int(b.Param)
		}
		if c := strings.Compare(a.Code, b.Code); c != 0 {
			return c
		}
		return strings.Compare(a.System, b.System)
	})
	r.Tokens = slices.Compact(r.Tokens)
	r.Strings = unique(r.Strings)
	r.Refs = unique(r.Refs)
	r.Dates = unique(r.Dates)
	r.URIs = unique(r.URIs)
	r.Quantities = unique(r.Quantities)
	r.Composites = unique(r.Composites)
}

// few is how many rows are compared one by one; a Group may have 100,000.
const few = 32

// unique drops repeated rows.
func unique[T comparable](list []T) []T {
	out := list[:0]
	if len(list) <= few {
		for _, v := range list {
			if !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
		return out
	}
	seen := make(map[T]struct{}, len(list))
	for _, v := range list {
		if _, twice := seen[v]; !twice {
			seen[v] = struct{}{}
			out = append(out, v)
		}
	}
	return out
}
