package client_test

import (
	"encoding/json"
	"testing"

	exchangev1 "github.com/yba-health/yba/proto/gen/yba/exchange/v1"
	"github.com/yba-health/yba/services/exchange/client"
)

func TestAnIdentifierKeepsPeriodAndAssigner(t *testing.T) {
	for name, c := range map[string]struct {
		checked     *exchangev1.CheckedIdentifier
		from, until string
		want        string
	}{
		"card with both dates": {
			&exchangev1.CheckedIdentifier{Kind: "bhyt", Value: "TE1660123456789", System: "s"}, "2025-01-01", "2025-12-31",
			`{"system":"s","value":"TE1660123456789","period":{"start":"2025-01-01","end":"2025-12-31"},"assigner":{"display":"Bảo hiểm xã hội Việt Nam"}}`,
		},
		"open end": {
			&exchangev1.CheckedIdentifier{Kind: "cccd", Value: "1", System: "s"}, "2021-05-01", "",
			`{"system":"s","value":"1","period":{"start":"2021-05-01"},"assigner":{"display":"Bộ Công an"}}`,
		},
		"no dates": {
			&exchangev1.CheckedIdentifier{Kind: "facility", Value: "66001", System: "s"}, "", "",
			`{"system":"s","value":"66001","assigner":{"display":"Bảo hiểm xã hội Việt Nam"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := json.Marshal(client.ToFHIR(c.checked, c.from, c.until))
			if err != nil || string(got) != c.want {
				t.Errorf("got %s, %v; want %s", got, err, c.want)
			}
		})
	}
}
