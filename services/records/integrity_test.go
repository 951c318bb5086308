package records

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

func basic(reference string) string {
	return `{"resourceType":"Basic","code":{"text":"x"},"extension":[{"url":"http://x","valueReference":{"reference":"` + reference + `"}}]}`
}

func TestAReferenceMustLeadSomewhere(t *testing.T) {
	r, ctx := open(t)
	o := create(ctx, t, r, "Organization", organization("A"))
	gone := create(ctx, t, r, "Organization", organization("B"))
	if _, err := r.Delete(ctx, &recordsv1.DeleteRequest{Type: "Organization", Id: gone.GetId()}); err != nil {
		t.Fatal(err)
	}
	for reference, ok := range map[string]bool{
		"Organization/" + o.GetId(): true, "Organization/" + o.GetId() + "/_history/1": true, "http://elsewhere/fhir/Organization/1": true, "urn:oid:1.2": true,
		"Organization/nobody": false, "Organization/" + gone.GetId(): false,
	} {
		_, err := r.Create(ctx, &recordsv1.CreateRequest{Type: "Basic", Body: []byte(basic(reference))})
		f := fault.Of(err)
		if ok != (err == nil) || !ok && (f.Class != fault.Unprocessable || f.At != "Basic.extension[0].valueReference.reference") {
			t.Errorf("%s: %v", reference, err)
		}
		_, err = r.Update(ctx, &recordsv1.UpdateRequest{Type: "Basic", Id: "b", Body: []byte(basic(reference))})
		if ok != (err == nil) {
			t.Errorf("update with %s: %v", reference, err)
		}
	}
	r.settings.written = types{list: []string{"Observation"}}
	create(ctx, t, r, "Basic", basic("Organization/nobody"))
}

func TestWhatIsReferredToIsNotDeleted(t *testing.T) {
	r, ctx := open(t)
	indexed := create(ctx, t, r, "Organization", organization("A"))
	unindexed := create(ctx, t, r, "Organization", organization("B"))
	p := create(ctx, t, r, "Patient", strings.Replace(person("Lê", "An", "1", "95012", "1950"), `"gender"`, `"managingOrganization":{"reference":"Organization/`+indexed.GetId()+`"},"gender"`, 1))
	b := create(ctx, t, r, "Basic", basic("Organization/"+unindexed.GetId()))
	remove := func(typ, id string) error {
		return second(r.Delete(ctx, &recordsv1.DeleteRequest{Type: typ, Id: id}))
	}
	for id, referrer := range map[string]string{indexed.GetId(): "Patient", unindexed.GetId(): "Basic"} {
		err := remove("Organization", id)
		if f := fault.Of(err); f.Class != fault.Conflict || !strings.Contains(f.Message, "referred to by "+referrer) || strings.Contains(f.Message, p.GetId()) {
			t.Errorf("%s: %v", referrer, err)
		}
	}
	// Together with what refers to it, or when that refers to it no more.
	if _, err := r.Transact(ctx, transaction(
		`{"request":{"method":"DELETE","url":"Organization/`+indexed.GetId()+`"}}`,
		`{"resource":`+strings.Replace(person("Lê", "An", "1", "95012", "1950"), `"gender"`, `"id":"`+p.GetId()+`","gender"`, 1)+`,"request":{"method":"PUT","url":"Patient/`+p.GetId()+`"}}`,
	)); err != nil {
		t.Error(err)
	}
	if _, err := r.Transact(ctx, transaction(
		`{"request":{"method":"DELETE","url":"Organization/`+unindexed.GetId()+`"}}`, `{"request":{"method":"DELETE","url":"Basic/`+b.GetId()+`"}}`,
	)); err != nil {
		t.Error(err)
	}
	// What refers to what the same Bundle deletes is refused.
	x := create(ctx, t, r, "Organization", organization("C"))
	_, err := r.Transact(ctx, transaction(`{"request":{"method":"DELETE","url":"Organization/`+x.GetId()+`"}}`, post("urn:uuid:1", basic("Organization/"+x.GetId()), "")))
	if f := fault.Of(err); f.Class != fault.Unprocessable || f.At != "Bundle.entry[1].resource.extension[0].valueReference.reference" {
		t.Error(err)
	}
	create(ctx, t, r, "Basic", basic("Organization/"+x.GetId()))
	r.settings.deleted = types{list: []string{"Patient"}}
	if err := remove("Organization", x.GetId()); err != nil {
		t.Error(err)
	}
}

func TestIntegrityTellsNothingOfWhatIsOutOfReach(t *testing.T) {
	r, ctx := open(t)
	theirs := create(ctx, t, r, "Patient", person("Lê", "An", "1", "95012", "1950"))
	ours := create(ctx, t, r, "Patient", person("Lê", "Ba", "2", "95013", "1950"))
	create(ctx, t, r, "Basic", strings.Replace(basic("Patient/"+ours.GetId()), `"code"`, `"subject":{"reference":"Patient/`+theirs.GetId()+`"},"code"`, 1))
	nurse := scoped(ctx, &guard.Scope{Communes: []string{"95013@2025-07-01"}, Shared: true})
	messages := map[string]bool{}
	for _, id := range []string{theirs.GetId(), "nobody"} {
		body := strings.Replace(basic("Patient/"+id), `"code"`, `"subject":{"reference":"Patient/`+ours.GetId()+`"},"code"`, 1)
		_, err := r.Create(nurse, &recordsv1.CreateRequest{Type: "Basic", Body: []byte(body)})
		if !fault.Is(err, fault.Unprocessable) {
			t.Errorf("%v", err)
		}
		messages[fault.Of(err).Message+fault.Of(err).At] = true
	}
	if len(messages) != 1 {
		t.Errorf("absent and out of reach differ: %v", messages)
	}
	_, err := r.Delete(nurse, &recordsv1.DeleteRequest{Type: "Patient", Id: ours.GetId()})
	if f := fault.Of(err); f.Class != fault.Conflict || strings.Contains(f.Message, "Basic") {
		t.Errorf("%v", err)
	}
}

// TestDeletingAndReferringNeverBothSucceed lets many refer to what others
// delete at the same time; afterwards no reference may lead to nothing.
func TestDeletingAndReferringNeverBothSucceed(t *testing.T) {
	r, ctx := open(t)
	for round := range 25 {
		o := create(ctx, t, r, "Organization", organization("A"))
		var wg sync.WaitGroup
		start := make(chan struct{})
		var deleted error
		made := make([]error, 4)
		for i := range made {
			wg.Go(func() {
				<-start
				if i%2 == 0 {
					made[i] = second(r.Create(ctx, &recordsv1.CreateRequest{Type: "Basic", Body: []byte(basic("Organization/" + o.GetId()))}))
					return
				}
				made[i] = second(r.Transact(ctx, transaction(post("urn:uuid:1", basic("Organization/"+o.GetId()), ""), `{"resource":{"resourceType":"Basic","id":"u`+fmt.Sprint(round, i)[:1]+`","code":{"text":"y"}},"request":{"method":"PUT","url":"Basic/u`+fmt.Sprint(round, i)[:1]+`"}}`)))
			})
		}
		wg.Go(func() {
			<-start
			deleted = second(r.Delete(ctx, &recordsv1.DeleteRequest{Type: "Organization", Id: o.GetId()}))
		})
		close(start)
		wg.Wait()
		if deleted != nil && !fault.Is(deleted, fault.Conflict) {
			t.Fatal(deleted)
		}
		referred := false
		for _, err := range made {
			if err != nil && !fault.Is(err, fault.Unprocessable) {
				t.Fatal(err)
			}
			referred = referred || err == nil
		}
		if deleted == nil == referred {
			t.Fatalf("round %d: deleted: %v, referred to: %v", round, deleted, made)
		}
	}
}
