package stations

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/vitext"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

const (
	// found bounds what one search of candidates reads.
	found = "50"
	// maxFound bounds an answer; a nurse reads no longer list.
	maxFound = 50
	// foundNear is the same where a word of the name is in doubt and more
	// people must be looked through.
	foundNear = "200"
	// maxWords bounds the searches for a mistyped name.
	maxWords = 5
	// A likeness under this is not worth a line.
	alike = 0.3
)

// FindPeople finds residents whom the caller may reach.
func (s *Service) FindPeople(ctx context.Context, req *stationsv1.FindPeopleRequest) (*stationsv1.FindPeopleResponse, error) {
	if err := checkText("query", req.GetQuery(), 100); err != nil {
		return nil, err
	}
	a := asked{birth: req.GetBirthDate(), gender: req.GetGender(), prefix: true}
	if a.birth != "" {
		if _, err := parseBirth(a.birth); err != nil {
			return nil, err
		}
	}
	query, year := splitQuery(req.GetQuery())
	a.birth = cmp.Or(a.birth, year)
	number := strings.IndexFunc(query, unicode.IsDigit) >= 0
	switch {
	case number:
		a.phone = cleanPhone(query)
	case len([]rune(query)) >= 2:
		a.name = query
	case a.birth == "":
		// One letter finds everybody.
		return &stationsv1.FindPeopleResponse{}, nil
	}
	var list []patientResource
	var err error
	if number {
		list, err = s.byNumber(ctx, query)
	} else {
		list, err = s.candidates(ctx, a)
	}
	if err != nil {
		return nil, err
	}
	people := rank(a, list, number)
	if a.name != "" && (len(people) == 0 || people[0].GetLikeness() < sameEnough) {
		if people, err = s.mistyped(ctx, a, people); err != nil {
			return nil, err
		}
	}
	limit := int(req.GetLimit())
	if limit <= 0 || limit > maxFound {
		limit = 20
	}
	people = people[:min(len(people), limit)]
	for _, p := range people {
		guard.Touch(ctx, p.GetPatient(), "Patient/"+p.GetPatient())
	}
	return &stationsv1.FindPeopleResponse{People: people}, nil
}

// rank orders candidates by likeness and leaves out who is not alike. What a
// number found is alike by that.
func rank(a asked, list []patientResource, number bool) []*stationsv1.Person {
	var people []*stationsv1.Person
	for _, r := range list {
		p := r.person()
		p.Likeness, p.Reasons = likeness(a, p)
		if number {
			p.Likeness = 1
			if len(p.Reasons) == 0 {
				p.Reasons = []string{"cùng số giấy tờ"}
			}
		}
		if p.Likeness >= alike {
			people = append(people, p)
		}
	}
	sortByLikeness(people)
	return people
}

func sortByLikeness(people []*stationsv1.Person) {
	slices.SortStableFunc(people, func(a, b *stationsv1.Person) int {
		return cmp.Or(cmp.Compare(b.GetLikeness(), a.GetLikeness()), strings.Compare(a.GetPatient(), b.GetPatient()))
	})
}

// splitQuery takes the birth out of what was typed after a name, or alone:
// "hoa 1992", "Trần Văn Bình 02/08/1963", "1963". Whatever else holds digits
// is a number and stays whole.
func splitQuery(typed string) (query, birth string) {
	var words []string
	for _, w := range strings.Fields(typed) {
		b, isBirth := typedBirth(w)
		switch {
		case isBirth && birth == "":
			birth = b
		case strings.IndexFunc(w, unicode.IsDigit) >= 0:
			return strings.TrimSpace(typed), ""
		default:
			words = append(words, w)
		}
	}
	return strings.Join(words, " "), birth
}

// typedBirth reads a year, or a day as people or devices write it.
func typedBirth(word string) (string, bool) {
	for layout, out := range map[string]string{"2006": "2006", time.DateOnly: time.DateOnly, "2/1/2006": time.DateOnly, "2-1-2006": time.DateOnly} {
		if t, err := time.Parse(layout, word); err == nil && t.Year() >= 1900 && t.Year() <= 2100 {
			return t.Format(out), true
		}
	}
	return "", false
}

// mistyped adds people whose name differs from what was typed by a slip. It
// searches once for each word, by the half of it that is likely to be right,
// and once without the word; only who is much alike is added, since half a
// name is the name of many.
func (s *Service) mistyped(ctx context.Context, a asked, people []*stationsv1.Person) ([]*stationsv1.Person, error) {
	words := strings.Fields(vitext.Fold(a.name))
	words = words[:min(len(words), maxWords)]
	var searches []url.Values
	for i, w := range words {
		letters := []rune(w)
		others := slices.Delete(slices.Clone(words), i, i+1)
		some := append(slices.Clone(others), string(letters[:(len(letters)+1)/2]))
		searches = append(searches, url.Values{"name": some, "_count": {foundNear}})
		if len(others) > 0 {
			searches = append(searches, url.Values{"name": others, "_count": {foundNear}})
		}
	}
	list, err := s.union(ctx, searches...)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, p := range people {
		known[p.GetPatient()] = true
	}
	for _, p := range rank(a, list, false) {
		if p.GetLikeness() >= sameEnough && !known[p.GetPatient()] {
			people = append(people, p)
		}
	}
	sortByLikeness(people)
	return people, nil
}

func (s *Service) byNumber(ctx context.Context, typed string) ([]patientResource, error) {
	value := strings.ToUpper(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '.' || r == '-' {
			return -1
		}
		return r
	}, typed))
	if len(value) < 5 {
		return nil, nil
	}
	return s.union(ctx, url.Values{"identifier": {value}}, url.Values{"phone": {cleanPhone(typed)}})
}

// candidates casts a wide net with narrow searches: all words of the name,
// the same day of birth, the given name with the year of birth, the phone.
// So a slip in the name or in the date still finds the person.
func (s *Service) candidates(ctx context.Context, a asked) ([]patientResource, error) {
	var searches []url.Values
	words := strings.Fields(vitext.Fold(a.name))
	if len(words) > 0 {
		searches = append(searches, url.Values{"name": words})
	}
	if a.birth != "" {
		if len(a.birth) == len("2006-01-02") || len(words) == 0 {
			searches = append(searches, url.Values{"birthdate": {a.birth}})
		}
		if len(words) > 0 {
			searches = append(searches, url.Values{"birthdate": {a.birth[:4]}, "given": {words[len(words)-1]}})
		}
	}
	if a.phone != "" {
		searches = append(searches, url.Values{"phone": {a.phone}})
	}
	for kind, value := range a.identifiers {
		for system, k := range kindOf {
			if k == kind {
				searches = append(searches, url.Values{"identifier": {system + "|" + value}})
			}
		}
	}
	return s.union(ctx, searches...)
}

// union searches as the caller, so that the scope holds, and joins the results.
func (s *Service) union(ctx context.Context, searches ...url.Values) ([]patientResource, error) {
	seen := map[string]bool{}
	var list []patientResource
	for _, q := range searches {
		if !q.Has("_count") {
			q.Set("_count", found)
		}
		some, err := search[patientResource](ctx, s.Records, "Patient", q)
		if err != nil {
			return nil, err
		}
		for _, p := range some {
			if !seen[p.ID] {
				seen[p.ID] = true
				list = append(list, p)
			}
		}
	}
	return list, nil
}

// GetPerson returns a resident with what the form needs at a glance.
func (s *Service) GetPerson(ctx context.Context, req *stationsv1.GetPersonRequest) (*stationsv1.Person, error) {
	if req.GetPatient() == "" {
		return nil, invalid("patient", "Xin chọn một người.")
	}
	p, err := s.person(ctx, req.GetPatient())
	if err != nil {
		return nil, err
	}
	of := func(more ...string) url.Values {
		v := url.Values{"patient": {req.GetPatient()}}
		for i := 0; i+1 < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	vitals, err := search[observationResource](ctx, s.Records, "Observation", of("category", "vital-signs", "_sort", "-date", "_count", "50"))
	if err != nil {
		return nil, err
	}
	p.Last = lastMeasures(vitals)
	if p.Allergies, err = s.texts(ctx, "AllergyIntolerance", of("_count", "50")); err != nil {
		return nil, err
	}
	if p.Conditions, err = s.texts(ctx, "Condition", of("clinical-status", "active", "_count", "50")); err != nil {
		return nil, err
	}
	account, err := s.account(ctx, p)
	if err != nil {
		return nil, err
	}
	p.HasAccount = account != nil
	// The household list is in nobody's compartment; the person is the nurse's own to read.
	groups, err := search[groupResource](guard.As(ctx, name), s.Records, "Group", url.Values{"member": {"Patient/" + req.GetPatient()}, "_count": {"1"}})
	if err != nil {
		return nil, err
	}
	if len(groups) > 0 {
		p.Household = groups[0].ID
	}
	return p, nil
}

// person reads a Patient as the caller.
func (s *Service) person(ctx context.Context, id string) (*stationsv1.Person, error) {
	r, _, err := read[patientResource](ctx, s.Records, "Patient", id)
	if err != nil {
		return nil, err
	}
	guard.Touch(ctx, id, "Patient/"+id)
	return r.person(), nil
}

// texts lists what the concepts of resources say, each once.
func (s *Service) texts(ctx context.Context, typ string, query url.Values) ([]string, error) {
	type coded struct {
		Code struct {
			Text   string
			Coding []struct{ Code, Display string }
		}
	}
	list, err := search[coded](ctx, s.Records, typ, query)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, c := range list {
		text := c.Code.Text
		for _, k := range c.Code.Coding {
			text = cmp.Or(text, k.Display, k.Code)
		}
		if text != "" && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out, nil
}

// account returns the account that a person has, or nil.
func (s *Service) account(ctx context.Context, p *stationsv1.Person) (*accessv1.Account, error) {
	answer, err := s.Access.ListAccounts(guard.As(ctx, name), &accessv1.ListAccountsRequest{Patient: p.GetPatient()})
	if err != nil {
		return nil, err
	}
	for _, a := range answer.GetAccounts() {
		if a.GetPatient() == p.GetPatient() && !a.GetDisabled() {
			return a, nil
		}
	}
	return nil, nil
}

// OpenAccount gives a resident an account and a one-time activation code.
func (s *Service) OpenAccount(ctx context.Context, req *stationsv1.OpenAccountRequest) (*stationsv1.OpenAccountResponse, error) {
	if req.GetPatient() == "" {
		return nil, invalid("patient", "Xin chọn một người.")
	}
	p, err := s.person(ctx, req.GetPatient())
	if err != nil {
		return nil, err
	}
	has, err := s.account(ctx, p)
	if err != nil {
		return nil, err
	}
	if has != nil {
		return nil, fault.Newf(fault.Conflict, "Người này đã có tài khoản, tên đăng nhập là %s.", has.GetUsername()).In("patient")
	}
	for _, username := range usernames(p) {
		answer, err := s.Access.CreateAccount(guard.As(ctx, name), &accessv1.CreateAccountRequest{
			Username: username, Name: p.GetName(), Roles: []string{"patient"}, Patient: p.GetPatient(),
		})
		if fault.Is(err, fault.Conflict) {
			continue // the name is taken: families share a phone
		}
		if err != nil {
			return nil, err
		}
		return &stationsv1.OpenAccountResponse{Username: answer.GetAccount().GetUsername(), ActivationCode: answer.GetActivationCode()}, nil
	}
	return nil, fault.New(fault.Conflict, "Chưa tìm được tên đăng nhập còn trống. Xin thử lại hoặc nhờ quản trị viên mở tài khoản.", errors.New("every username is taken"))
}

// usernames proposes names that a person can remember: the phone, else given
// name, family name and year of birth, "hoa.nguyen1980".
func usernames(p *stationsv1.Person) []string {
	var list []string
	if phone := cleanPhone(p.GetPhone()); phoneForm.MatchString(phone) {
		list = append(list, phone)
	}
	words := strings.FieldsFunc(vitext.Fold(p.GetName()), func(r rune) bool { return r < 'a' || r > 'z' })
	base := "yba"
	if len(words) > 0 {
		base = words[len(words)-1]
	}
	if len(words) > 1 {
		base += "." + words[0]
	}
	if len(p.GetBirthDate()) >= 4 {
		base += p.GetBirthDate()[:4]
	}
	list = append(list, base)
	for n := 2; n < 30; n++ {
		list = append(list, base+"-"+strconv.Itoa(n))
	}
	return list
}
