package policy_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	consultsv1 "github.com/yba-health/yba/proto/gen/yba/consults/v1"
	coveragev1 "github.com/yba-health/yba/proto/gen/yba/coverage/v1"
	exchangev1 "github.com/yba-health/yba/proto/gen/yba/exchange/v1"
	noticesv1 "github.com/yba-health/yba/proto/gen/yba/notices/v1"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
	"github.com/yba-health/yba/services/access/account"
	"github.com/yba-health/yba/services/access/policy"
)

// contracts are linked in, so that the registry knows them.
var contracts = []protoreflect.FileDescriptor{
	accessv1.File_yba_access_v1_access_proto, consultsv1.File_yba_consults_v1_consults_proto,
	coveragev1.File_yba_coverage_v1_coverage_proto, exchangev1.File_yba_exchange_v1_exchange_proto,
	noticesv1.File_yba_notices_v1_notices_proto, recordsv1.File_yba_records_v1_records_proto,
	stationsv1.File_yba_stations_v1_stations_proto,
}

// internal operations are what authorisation itself is made of; their tables
// mark them kit.Internal, and services/access tests that.
var internal = []string{"access.Authorize", "access.Append"}

// operations lists "service.Method" of every contract.
func operations(t *testing.T) []string {
	t.Helper()
	var all []string
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		name := string(f.Package())
		if !strings.HasPrefix(name, "yba.") {
			return true
		}
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for j := range s.Methods().Len() {
				all = append(all, strings.Split(name, ".")[1]+"."+string(s.Methods().Get(j).Name()))
			}
		}
		return true
	})
	if len(all) < len(contracts) {
		t.Fatalf("only %d operations in %d contracts", len(all), len(contracts))
	}
	return all
}

func rules(t *testing.T) []policy.Rule {
	t.Helper()
	all, err := policy.Rules()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEveryOperationIsNamedByARule(t *testing.T) {
	named := map[string]bool{}
	for _, r := range rules(t) {
		named[r.Operation] = true
	}
	for _, op := range operations(t) {
		if slices.Contains(internal, op) {
			if named[op] {
				t.Errorf("%s is internal, so no rule may open it", op)
			}
			continue
		}
		if !named[op] {
			t.Errorf("no rule names %s: nobody can call it", op)
		}
	}
}

func TestEveryRuleNamesAnOperationInItsServicesFile(t *testing.T) {
	ops := operations(t)
	for _, r := range rules(t) {
		if !slices.Contains(ops, r.Operation) {
			t.Errorf("%s:%d names %s, which no contract has", r.File, r.Line, r.Operation)
		}
		if service, _, _ := strings.Cut(r.Operation, "."); r.File != service+".csv" {
			t.Errorf("%s:%d: %s belongs into %s.csv", r.File, r.Line, r.Operation, service)
		}
	}
}

func TestEveryRuleNamesAKnownRole(t *testing.T) {
	var services []string
	for _, f := range contracts {
		services = append(services, strings.Split(string(f.Package()), ".")[1])
	}
	for _, r := range rules(t) {
		if name, ok := strings.CutPrefix(r.Role, "service:"); ok {
			if !slices.Contains(services, name) {
				t.Errorf("%s:%d: there is no service %s", r.File, r.Line, name)
			}
			continue
		}
		if r.Role != "anonymous" && !slices.Contains(account.Roles, r.Role) {
			t.Errorf("%s:%d: there is no role %s", r.File, r.Line, r.Role)
		}
	}
}

func TestAtMostOneRuleJoinsARoleWithAnOperation(t *testing.T) {
	seen := map[string]int{}
	for _, r := range rules(t) {
		key := r.Role + " " + r.Operation
		if first := seen[key]; first != 0 {
			t.Errorf("%s:%d repeats line %d: %s", r.File, r.Line, first, key)
		}
		seen[key] = r.Line
	}
}

// What must stay true however the rows change.
func TestRolesStayWithinTheirKinds(t *testing.T) {
	clinical := []string{"records", "consults", "stations"}
	for _, r := range rules(t) {
		service, _, _ := strings.Cut(r.Operation, ".")
		switch {
		case r.Role == "anonymous" && r.Kind != policy.None:
			t.Errorf("%s:%d: nobody signed in may reach no data", r.File, r.Line)
		case (r.Role == "patient" || r.Role == "guardian") && r.Kind != policy.Self && r.Kind != policy.None:
			t.Errorf("%s:%d: a %s reaches own records only", r.File, r.Line, r.Role)
		case (r.Role == "doctor" || r.Role == "specialist") && r.Kind != policy.InCare && r.Kind != policy.None:
			t.Errorf("%s:%d: a %s reaches the people in care only", r.File, r.Line, r.Role)
		case r.Role == "nurse" && r.Kind != policy.Commune && r.Kind != policy.None:
			t.Errorf("%s:%d: a nurse reaches the residents of the commune only", r.File, r.Line)
		case r.Role == "department" && r.Kind != policy.Deidentified && r.Kind != policy.None:
			t.Errorf("%s:%d: the department sees no persons", r.File, r.Line)
		case r.Role == "administrator" && r.Kind != policy.None && slices.Contains(clinical, service):
			t.Errorf("%s:%d: an administrator reaches no clinical data", r.File, r.Line)
		}
	}
}

func TestChangesAndNotifyAreForServicesAndTheImporter(t *testing.T) {
	for _, r := range rules(t) {
		if r.Operation != "records.Changes" && r.Operation != "notices.Notify" {
			continue
		}
		if !strings.HasPrefix(r.Role, "service:") && r.Role != "importer" {
			t.Errorf("%s:%d opens %s to %s", r.File, r.Line, r.Operation, r.Role)
		}
	}
}
