package access_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	"github.com/yba-health/yba/services/access/account"
)

func TestAccountsAreFoundWithoutToneMarks(t *testing.T) {
	w := newWorld(t)
	admin := w.open("admin", []string{"administrator"}, func(r *accessv1.CreateAccountRequest) { r.Name = "Quản trị" })
	w.open("hoa.tran", []string{"doctor"}, func(r *accessv1.CreateAccountRequest) { r.Name = "BS. Trần Thị Hoà" })
	w.open("dung", []string{"nurse"}, func(r *accessv1.CreateAccountRequest) {
		r.Name, r.Communes = "Đặng Văn Dũng", []string{"2001@2025-07-01"}
	})
	for _, c := range []struct {
		query, role string
		want        int
	}{
		{"", "", 3},
		{"tran thi hoa", "", 1},
		{"TRẦN", "", 1},
		{"dang van dung", "", 1},
		{"hoa.tran", "doctor", 1},
		{"hoa.tran", "nurse", 0},
		{"%", "", 0},
		{"_", "", 0},
		{"", "nurse", 1},
	} {
		resp, err := w.client.ListAccounts(w.as(admin), &accessv1.ListAccountsRequest{Query: c.query, Role: c.role})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(resp.GetAccounts()); got != c.want {
			t.Errorf("%q as %q found %d, not %d", c.query, c.role, got, c.want)
		}
	}
	all, err := w.client.ListAccounts(w.as(admin), &accessv1.ListAccountsRequest{Query: "tran thi hoa"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		req  *accessv1.ListAccountsRequest
		want int
	}{
		{&accessv1.ListAccountsRequest{Account: all.GetAccounts()[0].GetId()}, 1},
		{&accessv1.ListAccountsRequest{Account: all.GetAccounts()[0].GetId(), Practitioner: "nobody"}, 0},
		{&accessv1.ListAccountsRequest{Practitioner: "nobody"}, 0},
		{&accessv1.ListAccountsRequest{Account: "no uuid"}, 0},
	} {
		resp, err := w.client.ListAccounts(w.as(admin), c.req)
		if err != nil || len(resp.GetAccounts()) != c.want {
			t.Errorf("%v found %v, %v", c.req, resp.GetAccounts(), err)
		}
	}
}

func TestAccountsAreCheckedAndUnique(t *testing.T) {
	w := newWorld(t)
	admin := w.open("admin", []string{"administrator"}, nil)
	good := func() *accessv1.CreateAccountRequest {
		return &accessv1.CreateAccountRequest{Username: " Hoa ", Name: "Hoa", Roles: []string{"patient"}, Patient: "p1"}
	}
	resp, err := w.client.CreateAccount(w.as(admin), good())
	if err != nil {
		t.Fatal(err)
	}
	if resp.GetAccount().GetUsername() != "hoa" || resp.GetActivationCode() == "" {
		t.Errorf("account %v", resp)
	}
	for name, c := range map[string]struct {
		change func(*accessv1.CreateAccountRequest)
		class  fault.Class
	}{
		"same username":   {func(r *accessv1.CreateAccountRequest) { r.Username, r.Patient = "HOA", "p2" }, fault.Conflict},
		"same patient":    {func(r *accessv1.CreateAccountRequest) { r.Username = "hoa2" }, fault.Conflict},
		"unknown role":    {func(r *accessv1.CreateAccountRequest) { r.Roles = []string{"god"} }, fault.Invalid},
		"no role":         {func(r *accessv1.CreateAccountRequest) { r.Roles = nil }, fault.Invalid},
		"no patient":      {func(r *accessv1.CreateAccountRequest) { r.Patient = "" }, fault.Invalid},
		"marks in name":   {func(r *accessv1.CreateAccountRequest) { r.Username = "hoà" }, fault.Invalid},
		"bare commune":    {func(r *accessv1.CreateAccountRequest) { r.Roles, r.Communes = []string{"nurse"}, []string{"2001"} }, fault.Invalid},
		"nowhere's nurse": {func(r *accessv1.CreateAccountRequest) { r.Roles = []string{"nurse"} }, fault.Invalid},
		"short password":  {func(r *accessv1.CreateAccountRequest) { r.Password = "1234567" }, fault.Invalid},
	} {
		req := good()
		c.change(req)
		if _, err := w.client.CreateAccount(w.as(admin), req); !fault.Is(err, c.class) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNobodyOpensAnAccountThatMayMoreThanThey(t *testing.T) {
	w := newWorld(t)
	importer := w.open("importer", []string{"importer"}, nil)
	nurse := &accessv1.CreateAccountRequest{Username: "new", Name: "New", Roles: []string{"nurse"}, Communes: []string{"2001@2025-07-01"}}
	if _, err := w.client.CreateAccount(guard.As(t.Context(), "stations"), nurse); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a service opened a nurse's account: %v", err)
	}
	if _, err := w.client.CreateAccount(w.as(importer), nurse); err != nil {
		t.Errorf("the importer: %v", err)
	}
	boss := &accessv1.CreateAccountRequest{Username: "boss", Name: "Boss", Roles: []string{"administrator"}}
	if _, err := w.client.CreateAccount(w.as(importer), boss); !fault.Is(err, fault.Forbidden) {
		t.Errorf("the importer made an administrator: %v", err)
	}
}

func TestAPasswordIsChangedByItsOwnerOrAnAdministrator(t *testing.T) {
	w, a := patientWorld(t)
	admin := w.open("admin", []string{"administrator"}, nil)
	other := w.open("minh", []string{"guardian"}, nil)
	b := w.browser()
	elsewhere := b.exchange("patient", b.signIn("patient", "hoa"), verifier)
	const next = "trăng sáng sân đình"
	for name, c := range map[string]struct {
		who *accessv1.Account
		req *accessv1.SetPasswordRequest
	}{
		"wrong old one":   {a, &accessv1.SetPasswordRequest{OldPassword: "wrong", NewPassword: next}},
		"another's":       {other, &accessv1.SetPasswordRequest{Account: a.GetId(), OldPassword: password, NewPassword: next}},
		"without old one": {a, &accessv1.SetPasswordRequest{NewPassword: next}},
	} {
		if _, err := w.client.SetPassword(w.as(c.who), c.req); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if status, _ := b.me(elsewhere.Access); status != 200 {
		t.Fatalf("before the change: %d", status)
	}
	if _, err := w.client.SetPassword(w.as(a), &accessv1.SetPasswordRequest{OldPassword: password, NewPassword: next}); err != nil {
		t.Fatal(err)
	}
	if status, _ := b.me(elsewhere.Access); status != 401 {
		t.Errorf("a session elsewhere outlived the change: %d", status)
	}
	if _, err := w.client.SetPassword(w.as(admin), &accessv1.SetPasswordRequest{Account: a.GetId(), NewPassword: password}); err != nil {
		t.Fatal(err)
	}
	w.browser().signIn("patient", "hoa")
}

func TestMeTellsTheWardsOfAGuardian(t *testing.T) {
	w := newWorld(t)
	g := w.open("minh", []string{"guardian"}, nil)
	w.relate(g, "p3", "guardian", time.Time{}, time.Time{})
	w.relate(g, "p4", "treating", time.Time{}, time.Time{})
	me, err := w.client.Me(w.as(g), &accessv1.MeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if len(me.GetWards()) != 1 || me.GetWards()[0].GetPatient() != "p3" {
		t.Errorf("wards %v", me.GetWards())
	}
}

func TestRelationsAreShownToThoseTheyConcern(t *testing.T) {
	w, a := patientWorld(t)
	doctor := w.open("doctor", []string{"doctor"}, nil)
	guardian := w.open("minh", []string{"guardian"}, nil)
	w.relate(doctor, "p1", "treating", time.Time{}, time.Time{})
	w.relate(doctor, "p2", "treating", time.Time{}, time.Time{})
	w.relate(guardian, "p3", "guardian", time.Time{}, time.Time{})
	list := func(who *accessv1.Account, req *accessv1.ListRelationsRequest) int {
		resp, err := w.client.ListRelations(w.as(who), req)
		if err != nil {
			return -1
		}
		return len(resp.GetRelations())
	}
	for name, c := range map[string]struct {
		got, want int
	}{
		"to one's record":         {list(a, &accessv1.ListRelationsRequest{Patient: "p1"}), 1},
		"to another's record":     {list(a, &accessv1.ListRelationsRequest{Patient: "p2"}), -1},
		"a doctor's other people": {list(a, &accessv1.ListRelationsRequest{Account: doctor.GetId()}), 1},
		"a guardian's own":        {list(guardian, &accessv1.ListRelationsRequest{}), 1},
		"a doctor may not ask":    {list(doctor, &accessv1.ListRelationsRequest{}), -1},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, not %d", name, c.got, c.want)
		}
	}
	for name, r := range map[string]*accessv1.Relation{
		"unknown kind":    {Account: doctor.GetId(), Patient: "p1", Kind: "friend", Reason: "x"},
		"unknown account": {Account: "nobody", Patient: "p1", Kind: "treating", Reason: "x"},
		"no reason":       {Account: doctor.GetId(), Patient: "p1", Kind: "treating"},
		"backwards":       {Account: doctor.GetId(), Patient: "p1", Kind: "treating", Reason: "x", From: "2026-01-02", Until: "2026-01-01"},
		"bad time":        {Account: doctor.GetId(), Patient: "p1", Kind: "treating", Reason: "x", From: "tomorrow"},
	} {
		if _, err := w.client.GrantRelation(guard.As(t.Context(), "consults"), r); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestALostActivationCodeIsReplacedUntilThePasswordIsSet(t *testing.T) {
	w := newWorld(t)
	first, old, err := openWithCode(t, w, "levanbe")
	if err != nil {
		t.Fatal(err)
	}
	again, code, err := openWithCode(t, w, "levanbe2")
	if err != nil || again.GetId() != first.GetId() || code == old {
		t.Fatalf("the second code: %v %v", again, err)
	}
	activate := func(code string) int {
		b := w.browser()
		request := b.form(b.begin("patient", nil))
		return b.post("/signin/activate", url.Values{
			"request": {request}, "username": {"levanbe"}, "code": {code}, "password": {password}, "again": {password},
		}).status
	}
	if got := activate(old); got != http.StatusUnauthorized {
		t.Errorf("the lost code was answered %d", got)
	}
	if got := activate(code); got != http.StatusSeeOther {
		t.Fatalf("the new code was answered %d", got)
	}
	if _, _, err := openWithCode(t, w, "levanbe3"); !fault.Is(err, fault.Conflict) {
		t.Errorf("a code for an account with a password: %v", err)
	}
}

func TestARepeatedGrantIsOneRelation(t *testing.T) {
	w := newWorld(t)
	doctor := w.open("doctor", []string{"doctor"}, nil)
	until := w.clock.now().Add(time.Hour)
	first := w.relate(doctor, "p1", "treating", time.Time{}, until)
	if again := w.relate(doctor, "p1", "treating", time.Time{}, until); again != first {
		t.Error("the same grant made two relations")
	}
	if longer := w.relate(doctor, "p1", "treating", time.Time{}, until.Add(time.Hour)); longer == first {
		t.Error("a longer grant was lost")
	}
}

func TestAnothersUsernameIsAConflictForTheStationToo(t *testing.T) {
	w := newWorld(t)
	ctx := guard.As(t.Context(), "stations")
	open := func(patient string) error {
		_, err := w.client.CreateAccount(ctx, &accessv1.CreateAccountRequest{Username: "0912345678", Name: "Hoa", Roles: []string{"patient"}, Patient: patient})
		return err
	}
	if err := open("mother"); err != nil {
		t.Fatal(err)
	}
	if err := open("daughter"); !fault.Is(err, fault.Conflict) {
		t.Errorf("two people with one telephone: %v", err)
	}
}

func TestTheFirstTryNeverWaits(t *testing.T) {
	w := newWorld(t)
	for n := range 20 {
		// Times whose nanoseconds PostgreSQL rounds down and up.
		now := w.clock.now().Add(time.Duration(n*97) * time.Nanosecond)
		wait, err := w.store.CountAttempt(t.Context(), []account.Attempt{{Key: fmt.Sprint("fresh", n), Free: 5}}, now)
		if err != nil || wait != 0 {
			t.Errorf("at %d ns: wait %v, %v", now.Nanosecond(), wait, err)
		}
	}
}
