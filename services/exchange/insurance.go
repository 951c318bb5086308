package exchange

import "time"

// bhyt checks the three forms of a health-insurance number that are in use
// side by side: the card of 15 characters (QĐ 1351/QĐ-BHXH of 2015), the
// social-insurance number of 10 digits (cards since 1 April 2021) and the
// personal number of 12 digits (since 15 August 2025, NĐ 188/2025/NĐ-CP).
func (c *Checked) bhyt(now time.Time) {
	switch length := len(c.Value); {
	case length == 12 && digits(c.Value):
		c.cccd(now)
		c.Parts["form"] = "12"
	case length == 10 && digits(c.Value):
		c.Parts["form"], c.Parts["bhxh"] = "10", c.Value
	case length == 15:
		c.card()
	default:
		c.Problem = "Số thẻ BHYT có 15 ký tự (2 chữ và 13 số), hoặc 10 số, hoặc 12 số như căn cước; ở đây có " +
			itoa(len([]rune(c.Value))) + " ký tự. Nhờ anh/chị đọc lại số trên thẻ."
	}
}

func (c *Checked) card() {
	group, benefit, rest := c.Value[:2], c.Value[2:3], c.Value[3:]
	switch {
	case !letters(group):
		c.Problem = "Thẻ BHYT 15 ký tự bắt đầu bằng 2 chữ cái, như DN hoặc TE. Nhờ anh/chị xem lại hai ký tự đầu."
	case !digits(benefit) || benefit < "1" || benefit > "5":
		c.Problem = "Ký tự thứ 3 của thẻ BHYT là mức hưởng, từ 1 đến 5. Nhờ anh/chị xem lại."
	case !digits(rest):
		c.Problem = "Sau 3 ký tự đầu, thẻ BHYT chỉ còn chữ số. Nhờ anh/chị xem có nhầm chữ O với số 0 không."
	default:
		c.Parts["form"], c.Parts["group"], c.Parts["benefit"] = "15", group, benefit
		// The province that issued the card, not where its holder lives.
		c.Parts["province"], c.Parts["bhxh"] = rest[:2], rest[2:]
	}
}

// bhxh checks the 10 digits of a social-insurance number; the first two are
// the province of issue.
func (c *Checked) bhxh() {
	if c.Problem = onlyDigits("Mã số BHXH", c.Value, 10); c.Problem == "" {
		c.Parts["province"], c.Parts["bhxh"] = c.Value[:2], c.Value
	}
}

// facility checks the 5 characters that the social insurance gives to a
// health facility.
func (c *Checked) facility() {
	if len(c.Value) != 5 || !alphanumeric(c.Value) {
		c.Problem = "Mã cơ sở khám chữa bệnh có đúng 5 ký tự, chỉ gồm chữ không dấu và số, như 66001. Nhờ anh/chị xem lại."
	}
}
