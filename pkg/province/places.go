package province

import (
	"fmt"

	"github.com/yba-health/yba/pkg/fhir"
	coveragev1 "github.com/yba-health/yba/proto/gen/yba/coverage/v1"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

const (
	provinceCode = "99"
	provinceName = "Tỉnh Sông Hiền"
	founded      = "2004-01-01"
	merged       = "2025-07-01"
	lastDay      = "2025-06-30"
)

// commune is a commune of today.
type commune struct {
	code, from, name, nameEn, kind string
	hamlets                        []hamlet
	// share of the province's people, and of those the share with a record.
	share, registered float64
	// minority is the share of households of each ethnic group other than Kinh.
	minority map[string]float64
	// remote tells whether its station offers remote care.
	remote bool
}

// hamlet is a hamlet of today. old is the commune it lay in before the merger,
// empty where nothing changed.
type hamlet struct {
	code, name, old string
}

// oldCommunes are those that the merger of 1 July 2025 ended. The new commune
// took over the code of the first, as nearly all did in that reform: a code
// without its date is ambiguous.
var oldCommunes = []struct{ code, name, nameEn string }{
	{"99004", "Xã Suối Cát", "Suoi Cat Commune"},
	{"99007", "Xã Đồng Xoan", "Dong Xoan Commune"},
}

var communes = []commune{
	{
		code: "99004", from: merged, name: "Xã Suối Xoan", nameEn: "Suoi Xoan Commune", kind: "Xã", share: 0.26, registered: 0.91, remote: true,
		hamlets: hamlets("99004", "99004", "Thôn Cát Thượng", "Thôn Cát Hạ", "Thôn Bến Gỗ").and(
			hamlets("99007", "99007", "Thôn Xoan Đông", "Thôn Xoan Tây", "Thôn Gò Dẻ")),
	},
	{
		code: "99001", from: founded, name: "Phường Sông Hiền", nameEn: "Song Hien Ward", kind: "Phường", share: 0.22, registered: 0.97, remote: true,
		hamlets: hamlets("99001", "", "Khu phố 1", "Khu phố 2", "Khu phố 3", "Khu phố 4"),
	},
	{
		code: "99010", from: founded, name: "Xã Hòa Bàng", nameEn: "Hoa Bang Commune", kind: "Xã", share: 0.16, registered: 0.94, remote: true,
		hamlets: hamlets("99010", "", "Thôn Bàng Trong", "Thôn Bàng Ngoài", "Thôn Đá Dựng"),
	},
	{
		code: "99013", from: founded, name: "Xã Vĩnh Trầm", nameEn: "Vinh Tram Commune", kind: "Xã", share: 0.14, registered: 0.86, remote: true,
		hamlets:  hamlets("99013", "", "Thôn Trầm Một", "Thôn Trầm Hai", "Thôn Phú Điền"),
		minority: map[string]float64{"Chăm": 0.22},
	},
	{
		code: "99016", from: founded, name: "Xã Ea Lang", nameEn: "Ea Lang Commune", kind: "Xã", share: 0.12, registered: 0.78,
		hamlets:  hamlets("99016", "", "Buôn Lang A", "Buôn Lang B", "Thôn Tân Lập"),
		minority: map[string]float64{"Ê Đê": 0.48},
	},
	{
		code: "99019", from: founded, name: "Xã Phước Rây", nameEn: "Phuoc Ray Commune", kind: "Xã", share: 0.10, registered: 0.68,
		hamlets:  hamlets("99019", "", "Thôn Ma Rây", "Thôn Tà Lọt", "Thôn Hành Rạc"),
		minority: map[string]float64{"Raglai": 0.55},
	},
}

type hamletList []hamlet

func (l hamletList) and(m hamletList) hamletList { return append(l, m...) }

func hamlets(code, old string, names ...string) hamletList {
	var out hamletList
	for i, n := range names {
		out = append(out, hamlet{fmt.Sprintf("%s%02d", code, 1+i), n, old})
	}
	return out
}

// key is how the suite names a unit: code and the day it began.
func (c *commune) key() string { return c.code + "@" + c.from }

func (c *commune) station() string { return "station-" + c.code }

// units lists province, communes and hamlets with the merger in their history.
// There are no districts: they ended on the same day.
func units() ([]*stationsv1.Unit, []*stationsv1.Succession) {
	us := []*stationsv1.Unit{{
		Code: provinceCode, Level: "province", Name: provinceName, NameEn: "Song Hien Province",
		Kind: "Tỉnh", ValidFrom: founded,
	}}
	var ss []*stationsv1.Succession
	full := func(old, now string) {
		ss = append(ss, &stationsv1.Succession{
			OldCode: old, OldValidFrom: founded,
			NewCode: now, NewValidFrom: merged, Extent: "full",
		})
	}
	for _, o := range oldCommunes {
		us = append(us, &stationsv1.Unit{
			Code: o.code, Level: "commune", Name: o.name, NameEn: o.nameEn, Kind: "Xã",
			Parent: provinceCode, ValidFrom: founded, ValidTo: lastDay,
		})
		full(o.code, communes[0].code)
	}
	for i := range communes {
		c := &communes[i]
		us = append(us, &stationsv1.Unit{
			Code: c.code, Level: "commune", Name: c.name, NameEn: c.nameEn, Kind: c.kind,
			Parent: provinceCode, ValidFrom: c.from,
		})
		for _, h := range c.hamlets {
			kind := "Thôn"
			switch {
			case c.kind == "Phường":
				kind = "Khu phố"
			case len(h.name) > 4 && h.name[:4] == "Buô":
				kind = "Buôn"
			}
			if h.old != "" {
				us = append(us, &stationsv1.Unit{
					Code: h.code, Level: "hamlet", Name: h.name, Kind: kind,
					Parent: h.old, ValidFrom: founded, ValidTo: lastDay,
				})
				full(h.code, h.code)
			}
			us = append(us, &stationsv1.Unit{
				Code: h.code, Level: "hamlet", Name: h.name, Kind: kind,
				Parent: c.code, ValidFrom: c.from,
			})
		}
	}
	return us, ss
}

// targets are what the indicators are held against: those of the country's
// digital health programme, and those that one province's plan sets for remote
// care.
func targets() []*coveragev1.Target {
	t := func(indicator, by string, share float64, level, source string) *coveragev1.Target {
		return &coveragev1.Target{Indicator: indicator, By: by, Share: share, Level: level, Source: source}
	}
	const (
		sample     = "Dữ liệu mẫu của tỉnh Sông Hiền"
		adults     = sample + ", theo mức một tỉnh đã đặt: 30 % người trưởng thành dùng khám từ xa vào năm 2025, 50 % vào năm 2030"
		facilities = sample + ", theo mức một tỉnh đã đặt: 100 % cơ sở y tế có khám từ xa vào năm 2030"
	)
	return []*coveragev1.Target{
		t("record-created", "2025-12-31", 0.90, "province", sample), t("record-created", "2030-12-31", 0.95, "province", sample),
		t("record-created", "2030-12-31", 1, "national", sample),
		t("remote-care-adults", "2025-12-31", 0.30, "province", adults), t("remote-care-adults", "2030-12-31", 0.50, "province", adults),
		t("facilities-remote", "2030-12-31", 1, "province", facilities),
	}
}

// count is the official population by commune: everyone, with a record or not.
// The two ended communes are counted on the last day before the merger.
func (p *Province) count() []*coveragev1.Population {
	const source = "Tổng hợp dân số (dữ liệu mẫu)"
	people, adults := map[string]int32{}, map[string]int32{}
	for _, h := range p.households {
		keys := []string{h.commune.key()}
		if h.hamlet.old != "" {
			keys = append(keys, h.hamlet.old+"@"+founded)
		}
		for _, m := range h.members {
			for _, k := range keys {
				people[k]++
				if age(m.born, p.today) >= 18 {
					adults[k]++
				}
			}
		}
	}
	var rows []*coveragev1.Population
	row := func(key, date string) {
		rows = append(rows, &coveragev1.Population{Commune: key, Date: date, People: people[key], Adults: adults[key], Source: source})
	}
	for _, o := range oldCommunes {
		row(o.code+"@"+founded, lastDay)
	}
	for i := range communes {
		row(communes[i].key(), merged)
	}
	return rows
}

func unitExtension(code, from, name string) fields {
	return fields{"url": fhir.ExtensionUnit, "valueCoding": fields{
		"system": fhir.SystemUnits, "code": code, "version": from, "display": name,
	}}
}

// unitExtensions are the commune and hamlet of an address, as they were named
// when the address was written down.
func (h *household) unitExtensions() []fields {
	code, from, name := h.unit()
	hf := founded
	if h.hamlet.old != "" {
		hf = from
	}
	e := unitExtension(h.hamlet.code, hf, h.hamlet.name)
	e["url"] = fhir.ExtensionHamlet
	return []fields{unitExtension(code, from, name), e}
}

// unit is the commune that stands in the household's papers: the old one where
// they were written before the merger and never renewed.
func (h *household) unit() (code, from, name string) {
	if h.oldPapers {
		for _, o := range oldCommunes {
			if o.code == h.hamlet.old {
				return o.code, founded, o.name
			}
		}
	}
	return h.commune.code, h.commune.from, h.commune.name
}
