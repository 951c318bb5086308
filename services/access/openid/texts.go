package openid

import (
	"fmt"
	"time"
)

// texts are the words of the sign-in pages in one language.
type texts struct {
	SignIn, Username, Password, Activate, ActivateDo, ActivateLead, Code, CodeHint, NewPassword, PasswordHint, Again, BackToSignIn string
	SignOut, SignOutLead, SignedOut, SignedOutLead, Expired, ExpiredLead, Attention                                                string
	AppPatient, AppStation, AppClinic, AppDepartment                                                                               string
	Wrong, WrongCode, Differ, TooShort, TooLong, TooEasy, Failed, Wait, WaitMinutes                                                string
}

var catalogue = map[string]texts{
	"vi": { //nolint:gosec // words about passwords
		SignIn: "Đăng nhập", Username: "Tên đăng nhập", Password: "Mật khẩu",
		Activate: "Kích hoạt bằng mã", ActivateDo: "Kích hoạt và đăng nhập",
		ActivateLead: "Nhập mã trên tờ giấy mà trạm y tế đã đưa, rồi đặt mật khẩu của riêng bạn.",
		Code:         "Mã kích hoạt", CodeHint: "8 chữ và số, chữ hoa hay chữ thường đều được.",
		NewPassword: "Mật khẩu mới", PasswordHint: "Ít nhất 8 ký tự. Một câu ngắn dễ nhớ là tốt nhất.", Again: "Nhập lại mật khẩu mới",
		BackToSignIn: "Quay lại đăng nhập",
		SignOut:      "Đăng xuất", SignOutLead: "Bạn muốn đăng xuất khỏi Y Bạ trên máy này?",
		SignedOut: "Đã đăng xuất", SignedOutLead: "Bạn đã rời khỏi Y Bạ trên máy này. Muốn dùng tiếp, hãy chọn nơi bạn cần vào:",
		Expired: "Trang này đã hết hạn", ExpiredLead: "Trang đăng nhập mở quá lâu hoặc đã được dùng rồi. Không có gì bị mất. Hãy bắt đầu lại từ đây:",
		Attention:  "Chú ý:",
		AppPatient: "Sổ sức khỏe của tôi", AppStation: "Trạm y tế xã", AppClinic: "Phòng khám từ xa", AppDepartment: "Sở Y tế",
		Wrong:     "Tên đăng nhập hoặc mật khẩu chưa đúng. Hãy kiểm tra phím Caps Lock và bộ gõ tiếng Việt rồi thử lại.",
		WrongCode: "Tên đăng nhập hoặc mã chưa đúng, hoặc mã đã hết hạn sau 7 ngày. Trạm y tế có thể cấp mã mới cho bạn.",
		Differ:    "Hai lần nhập mật khẩu chưa giống nhau.",
		TooShort:  "Mật khẩu cần ít nhất 8 ký tự.", TooLong: "Mật khẩu dài nhất là 128 ký tự.",
		TooEasy: "Mật khẩu này dễ bị đoán. Hãy chọn mật khẩu khác.",
		Failed:  "Chưa đăng nhập được do lỗi ở phía máy chủ. Hãy thử lại sau ít phút.",
		Wait:    "Bạn đã thử nhiều lần. Hãy đợi %d giây rồi thử lại.", WaitMinutes: "Bạn đã thử nhiều lần. Hãy đợi %d phút rồi thử lại.",
	},
	"en": { //nolint:gosec // words about passwords
		SignIn: "Sign in", Username: "Username", Password: "Password",
		Activate: "Activate with a code", ActivateDo: "Activate and sign in",
		ActivateLead: "Type the code on the slip from your health station, then choose a password of your own.",
		Code:         "Activation code", CodeHint: "8 letters and digits; capitals do not matter.",
		NewPassword: "New password", PasswordHint: "At least 8 characters. A short sentence is easiest to remember.", Again: "New password again",
		BackToSignIn: "Back to sign in",
		SignOut:      "Sign out", SignOutLead: "Do you want to sign out of Y Bạ on this device?",
		SignedOut: "Signed out", SignedOutLead: "You have left Y Bạ on this device. To go on, choose where you want to go:",
		Expired: "This page has expired", ExpiredLead: "The sign-in page was open for too long, or was used already. Nothing is lost. Begin again here:",
		Attention:  "Please note:",
		AppPatient: "My health record", AppStation: "Commune health station", AppClinic: "Remote clinic", AppDepartment: "Health department",
		Wrong:     "The username or the password is wrong. Check Caps Lock and the Vietnamese keyboard, then try again.",
		WrongCode: "The username or the code is wrong, or the code has expired after 7 days. Your health station can give you a new one.",
		Differ:    "The two passwords are not the same.",
		TooShort:  "A password needs at least 8 characters.", TooLong: "A password has at most 128 characters.",
		TooEasy: "This password is easy to guess. Choose another one.",
		Failed:  "You could not be signed in because of a fault on our side. Try again in a few minutes.",
		Wait:    "You have tried many times. Wait %d seconds, then try again.", WaitMinutes: "You have tried many times. Wait %d minutes, then try again.",
	},
}

// waitText says how long to wait, rounded up.
func (t texts) waitText(d time.Duration) string {
	if d <= 90*time.Second {
		return fmt.Sprintf(t.Wait, int((d+time.Second-1)/time.Second))
	}
	return fmt.Sprintf(t.WaitMinutes, int((d+time.Minute-1)/time.Minute))
}
