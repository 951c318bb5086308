package coverage

import (
	"bytes"
	"context"
	"encoding/csv"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"

	"github.com/yba-health/yba/pkg/fault"
	coveragev1 "github.com/yba-health/yba/proto/gen/yba/coverage/v1"
	"github.com/yba-health/yba/services/coverage/readmodel"
)

// labels are the words of an exported file.
type labels struct {
	sheet, indicator, definition, numerator, denominator, source, asOf, geography, target, version string
	columns                                                                                        []string
	names                                                                                          map[string]string
}

var words = map[string]labels{
	"vi": {
		sheet: "Bao phủ", indicator: "Chỉ số", definition: "Định nghĩa", numerator: "Tử số", denominator: "Mẫu số", source: "Căn cứ",
		asOf: "Số liệu tính đến", geography: "Địa giới ngày", target: "Chỉ tiêu", version: "Phiên bản định nghĩa",
		columns: []string{"Mã đơn vị", "Tên đơn vị", "Tử số", "Mẫu số", "Tỷ lệ (%)", "30 ngày trước (%)", "Nguồn mẫu số"},
	},
	"en": {
		sheet: "Coverage", indicator: "Indicator", definition: "Definition", numerator: "Numerator", denominator: "Denominator", source: "Legal basis",
		asOf: "Data as of", geography: "Geography of", target: "Target", version: "Version of the definition",
		columns: []string{"Unit code", "Unit name", "Numerator", "Denominator", "Share (%)", "30 days before (%)", "Source of the denominator"},
		names:   map[string]string{unknownCommune: "Commune not known", unknownOldCommune: "Old commune not known", "Toàn tỉnh": "Whole province"},
	},
}

// Export gives a report as a file. The file explains itself: definition,
// numerator, denominator, source and date stand in it.
func (s *Service) Export(ctx context.Context, req *coveragev1.ExportRequest) (*coveragev1.ExportResponse, error) {
	language := req.GetLanguage()
	if language == "" {
		language = "vi"
	}
	w, ok := words[language]
	if !ok {
		return nil, fault.New(fault.Invalid, "must be vi or en", nil).In("language")
	}
	format, media := req.GetFormat(), "text/csv; charset=utf-8"
	write := writeCSV
	switch format {
	case "csv":
	case "xlsx":
		write, media = writeXLSX, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	default:
		return nil, fault.New(fault.Invalid, "must be csv or xlsx", nil).In("format")
	}
	r, err := s.Report(ctx, &coveragev1.ReportRequest{Indicator: req.GetIndicator(), Geography: req.GetGeography()})
	if err != nil {
		return nil, err
	}
	i, _ := s.indicator(req.GetIndicator())
	content, err := write(w, head(w, language, i, r), rows(w, r))
	if err != nil {
		return nil, fault.New(fault.Internal, "the file could not be written", err)
	}
	return &coveragev1.ExportResponse{
		Name: strings.Trim("yba-"+i.ID+"-"+day(r.GetAsOf()), "-") + "." + format, MediaType: media, Content: content,
	}, nil
}

// head is the explaining part: pairs of a label and a text.
func head(w labels, language string, i Indicator, r *coveragev1.ReportResponse) [][2]string {
	name, definition, numerator, denominator := i.Name, i.Definition, i.Numerator, i.Denominator
	if language == "en" {
		name, definition, numerator, denominator = i.NameEN, i.DefinitionEN, i.NumeratorEN, i.DenominatorEN
	}
	target := "-"
	if t := r.GetTarget(); t != nil {
		target = percent(t.GetShare()) + " % · " + t.GetBy() + " · " + t.GetSource()
	}
	return [][2]string{
		{w.indicator, name},
		{w.definition, definition},
		{w.numerator, numerator},
		{w.denominator, denominator},
		{w.source, i.Source},
		{w.version, i.Version + " (" + i.ValidFrom + ")"},
		{w.geography, r.GetGeography()},
		{w.asOf, local(r.GetAsOf())},
		{w.target, target},
	}
}

// day is the day of a moment in Vietnam; empty when there is none.
func day(moment string) string {
	t, err := time.Parse(time.RFC3339, moment)
	if err != nil {
		return ""
	}
	return string(readmodel.DayOf(t))
}

// local writes a moment as the clock on the department's wall shows it.
func local(moment string) string {
	t, err := time.Parse(time.RFC3339, moment)
	if err != nil {
		return moment
	}
	return readmodel.Local(t).Format("2006-01-02 15:04") + " (UTC+7)"
}

// cell is a text or a number.
type cell struct {
	text   string
	number *float64
	digits int
}

func rows(w labels, r *coveragev1.ReportResponse) [][]cell {
	var out [][]cell
	for _, f := range append([]*coveragev1.Figure{r.GetTotal()}, r.GetCommunes()...) {
		name := f.GetName()
		if other, ok := w.names[name]; ok {
			name = other
		}
		row := []cell{{text: f.GetCode()}, {text: name}, whole(f.GetNumerator()), {}, {}, {}, {text: f.GetDenominatorSource()}}
		if f.Share != nil {
			row[3], row[4] = whole(f.GetDenominator()), share(f.GetShare())
		}
		if f.Before != nil {
			row[5] = share(f.GetBefore())
		}
		out = append(out, row)
	}
	return out
}

func whole(n int32) cell { v := float64(n); return cell{number: &v} }

func share(s float64) cell { v := s * 100; return cell{number: &v, digits: 2} }

func percent(s float64) string { return strconv.FormatFloat(s*100, 'f', -1, 64) }

func (c cell) String() string {
	if c.number != nil {
		return strconv.FormatFloat(*c.number, 'f', c.digits, 64)
	}
	return plain(c.text)
}

// plain keeps a spreadsheet from taking a text for a formula: names and
// sources are typed by people, and a cell that begins like this is run by the
// program that opens the file.
func plain(s string) string {
	if strings.HasPrefix(s, "\t") || strings.HasPrefix(s, "\r") || strings.HasPrefix(s, "\n") {
		return "'" + s
	}
	r, _ := utf8.DecodeRuneInString(strings.TrimLeft(s, " \u00a0"))
	if strings.ContainsRune("=+-@＝＋－＠|%", r) && s != "-" {
		return "'" + s
	}
	return s
}

// writeCSV writes RFC 4180 with the byte order mark that makes Excel read
// Vietnamese. Every line has the same number of fields (section 2, rule 4).
func writeCSV(w labels, head [][2]string, table [][]cell) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("\ufeff")
	c := csv.NewWriter(&b)
	c.UseCRLF = true
	line := make([]string, len(w.columns))
	for _, h := range head {
		clear(line)
		line[0], line[1] = h[0], plain(h[1])
		if err := c.Write(line); err != nil {
			return nil, err
		}
	}
	clear(line)
	if err := c.Write(line); err != nil {
		return nil, err
	}
	if err := c.Write(w.columns); err != nil {
		return nil, err
	}
	for _, row := range table {
		for n := range row {
			line[n] = row[n].String()
		}
		if err := c.Write(line); err != nil {
			return nil, err
		}
	}
	c.Flush()
	return b.Bytes(), c.Error()
}

// writeXLSX writes a workbook with one sheet; texts are stored as texts, so
// that none is a formula.
func writeXLSX(w labels, head [][2]string, table [][]cell) (content []byte, err error) {
	f := excelize.NewFile()
	defer func() {
		if closing := f.Close(); err == nil {
			err = closing
		}
	}()
	if err := f.SetSheetName("Sheet1", w.sheet); err != nil {
		return nil, err
	}
	s := sheet{f: f, name: w.sheet}
	for n, h := range head {
		s.text(1, n+1, h[0])
		s.text(2, n+1, h[1])
	}
	top := len(head) + 2
	for n, c := range w.columns {
		s.text(n+1, top, c)
	}
	for y, row := range table {
		for x, c := range row {
			switch {
			case c.number != nil:
				s.number(x+1, top+1+y, *c.number, c.digits)
			case c.text != "":
				s.text(x+1, top+1+y, c.text)
			}
		}
	}
	if s.err != nil {
		return nil, s.err
	}
	if err := f.SetColWidth(w.sheet, "A", "A", 24); err != nil {
		return nil, err
	}
	if err := f.SetColWidth(w.sheet, "B", "B", 48); err != nil {
		return nil, err
	}
	b, err := f.WriteToBuffer()
	if err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// sheet keeps the first error of many cells.
type sheet struct {
	f    *excelize.File
	name string
	err  error
}

func (s *sheet) text(x, y int, v string) {
	if at, err := excelize.CoordinatesToCellName(x, y); s.err == nil {
		if s.err = err; err == nil {
			s.err = s.f.SetCellStr(s.name, at, v)
		}
	}
}

func (s *sheet) number(x, y int, v float64, digits int) {
	if at, err := excelize.CoordinatesToCellName(x, y); s.err == nil {
		if s.err = err; err == nil {
			s.err = s.f.SetCellFloat(s.name, at, v, digits, 64)
		}
	}
}
