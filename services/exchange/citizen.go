package exchange

import (
	"strconv"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// cccd checks the 12 digits of NĐ 137/2015/NĐ-CP Art. 13: three for the
// province or country where the birth was registered, one for century and
// sex, two for the year of birth, six at random. The province codes are those
// of the day of issue: they outlive every reform and say nothing of residence.
func (c *Checked) cccd(now time.Time) {
	if c.Problem = onlyDigits("Số căn cước", c.Value, 12); c.Problem != "" {
		return
	}
	if c.Value[:3] == "000" {
		c.Problem = "Ba số đầu của số căn cước không thể là 000. Nhờ anh/chị đọc lại số trên thẻ."
		return
	}
	// Even digits are men, odd ones women; each pair is one century from the 20th on.
	century := int(c.Value[3] - '0')
	year := 1900 + century/2*100 + int(c.Value[4]-'0')*10 + int(c.Value[5]-'0')
	if year > now.Year() {
		c.Problem = "Theo số căn cước này thì năm sinh là " + itoa(year) + ", năm đó chưa đến. Nhờ anh/chị xem lại số thứ 4, 5 và 6."
		return
	}
	c.Parts["province"] = c.Value[:3]
	c.Parts["sex"] = "male"
	if century%2 == 1 {
		c.Parts["sex"] = "female"
	}
	c.Parts["birthYear"] = itoa(year)
}
