package coverage

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/yba-health/yba/pkg/guard"
	coveragev1 "github.com/yba-health/yba/proto/gen/yba/coverage/v1"
	"github.com/yba-health/yba/services/coverage/readmodel"
)

func TestExportsExplainThemselvesAndRunNoFormula(t *testing.T) {
	units := mergedProvince()
	units.units[5].Name = "=HYPERLINK(\"http://x\")"
	log := newLog()
	s := newService(t, log, units)
	log.add(person{id: "1", version: 1, commune: key("a", newLaw), birth: "1990", at: clock}.change(t))
	catchUp(t, s)
	ctx := guard.WithScope(t.Context(), &guard.Scope{All: true})
	file, err := s.Export(ctx, &coveragev1.ExportRequest{Indicator: readmodel.RecordCreated, Format: "csv"})
	if err != nil {
		t.Fatal(err)
	}
	text, marked := bytes.CutPrefix(file.GetContent(), []byte("\ufeff"))
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || !marked {
		t.Fatalf("no RFC 4180 with a byte order mark: %v", err)
	}
	i, _ := s.indicator(readmodel.RecordCreated)
	for _, want := range []string{i.Name, i.Definition, i.Numerator, i.Denominator, i.Source, "2026-11-21 16:00 (UTC+7)", "Mã đơn vị", "'=HYPERLINK"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the file lacks %q", want)
		}
	}
	for _, l := range lines {
		for _, c := range l {
			if strings.HasPrefix(c, "=") {
				t.Errorf("formula %q", c)
			}
		}
	}
	file, err = s.Export(ctx, &coveragev1.ExportRequest{Indicator: readmodel.RecordCreated, Format: "xlsx", Language: "en"})
	if err != nil {
		t.Fatal(err)
	}
	book, err := excelize.OpenReader(bytes.NewReader(file.GetContent()))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	rows, err := book.GetRows("Coverage")
	if err != nil || rows[1][1] != i.DefinitionEN || rows[11][1] != "Whole province" || rows[11][2] != "1" {
		t.Errorf("sheet %v, %v", rows, err)
	}
	if f, err := book.GetCellFormula("Coverage", "B13"); err != nil || f != "" {
		t.Errorf("formula %q, %v", f, err)
	}
}

func TestPlainGuardsEveryWayToBeginAFormula(t *testing.T) {
	for in, want := range map[string]string{
		"=1": "'=1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\tx": "'\tx", "\rx": "'\rx", " =1": "' =1", "＝1": "'＝1", "Xã An": "Xã An", "": "", "-": "-",
	} {
		if got := plain(in); got != want {
			t.Errorf("plain(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTheDayOfAFileIsTheDayInVietnam(t *testing.T) {
	const evening = "2026-11-21T17:30:00.000Z"
	if got := day(evening); got != "2026-11-22" {
		t.Errorf("day %q", got)
	}
	if got := local(evening); got != "2026-11-22 00:30 (UTC+7)" {
		t.Errorf("local time %q", got)
	}
	if day("") != "" || local("") != "" {
		t.Error("no moment has a day")
	}
}
