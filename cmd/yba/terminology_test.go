package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/pg/pgtest"
	"github.com/yba-health/yba/services/records/postgres"
)

func TestTerminologyIsImportedOnceAndListed(t *testing.T) {
	db, _ := pgtest.New(t, pgtest.Schema{Service: "records", Migrations: postgres.Migrations()})
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	icd10 := file("icd10.csv", "\uFEFFMã bệnh;Tên bệnh\nI10;Tăng huyết áp vô căn (nguyên phát)\nJ45.9;Hen\n")
	loinc := file("loinc.csv", "LOINC_NUM,LONG_COMMON_NAME\n8867-4,A made-up rate\n")
	variant := file("vi.csv", "LOINC_NUM,LinguisticVariantDisplayName\n8867-4,Nhịp bịa\n")
	other := file("other.csv", "LOINC_NUM,LinguisticVariantDisplayName\n8867-4,Nhịp khác\n")
	wrong := file("wrong.csv", "Mã bệnh;Tên bệnh\nI10;Khác\n?;x\n")
	for _, tt := range []struct {
		o       terminologyImport
		out     string
		failure string
	}{
		{terminologyImport{kind: "icd10", file: icd10, release: "1"}, "icd-10 version 1: 2 concepts", ""},
		{terminologyImport{kind: "icd10", file: icd10, release: "1"}, "there already", ""},
		{terminologyImport{kind: "icd10", file: wrong, release: "1"}, "", "line 3"},
		{terminologyImport{kind: "icd10", file: icd10}, "", "release"},
		{terminologyImport{kind: "icd10", file: icd10, release: "1", names: []string{"vi=" + variant}}, "", "--names"},
		{terminologyImport{kind: "loinc", file: loinc, release: "2", names: []string{"vi=" + variant}}, "loinc.org version 2: 1 concepts", ""},
		{terminologyImport{kind: "loinc", file: loinc, release: "2", names: []string{"vi=" + other}}, "loinc.org version 2: 1 concepts", ""},
		{terminologyImport{kind: "loinc", file: dir + "/absent", release: "2"}, "", "absent"},
	} {
		var out, status strings.Builder
		err := tt.o.run(t.Context(), db, &out, &status)
		if tt.failure == "" && err != nil || tt.failure != "" && (err == nil || !strings.Contains(err.Error(), tt.failure)) || !strings.Contains(out.String(), tt.out) {
			t.Errorf("%+v: %q, %v", tt.o, out.String(), err)
		}
	}
	var out strings.Builder
	if err := listTerminology(t.Context(), db, &out); err != nil || strings.Count(out.String(), "\n") != 3 {
		t.Errorf("%s %v", out.String(), err)
	}
	var name string
	if err := db.QueryRowContext(t.Context(), `SELECT c.designations->0->>'value' FROM records.concepts c JOIN records.code_systems s ON s.id = c.system
		WHERE c.code = '8867-4' AND s.replaced IS NULL`).Scan(&name); err != nil || name != "Nhịp khác" {
		t.Errorf("the variant's name is %q, %v", name, err)
	}
}
