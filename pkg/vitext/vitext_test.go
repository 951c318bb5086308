package vitext_test

import (
	"testing"

	"github.com/yba-health/yba/pkg/vitext"
)

func TestFoldDropsMarksInBothUnicodeForms(t *testing.T) {
	for in, want := range map[string]string{
		"Nguyễn Thị Hoà":     "nguyen thi hoa",
		"Nguye\u0302\u0303n": "nguyen",
		"ĐẶNG  Đình\tĐức ":   "dang dinh duc",
		"Ước, Ơn":            "uoc, on",
		"  plain  ASCII ":    "plain ascii",
		"":                   "",
	} {
		if got := vitext.Fold(in); got != want {
			t.Errorf("Fold(%q) = %q, want %q", in, got, want)
		}
	}
}
