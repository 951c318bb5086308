package consults

import (
	"time"

	"github.com/yba-health/yba/pkg/rtc"
	consultsv1 "github.com/yba-health/yba/proto/gen/yba/consults/v1"
)

// relayLife is how long a seat's TURN credentials last.
const relayLife = 2 * time.Hour

// iceServers makes the ICE servers of a seat. Without URLs there are none.
type iceServers struct {
	urls   []string
	secret []byte
}

// forSeat names the seat and not the person in the username, which travels in
// the clear on UDP.
func (i iceServers) forSeat(seat string, now time.Time) []*consultsv1.IceServer {
	if len(i.urls) == 0 {
		return nil
	}
	user, password := rtc.Credentials(i.secret, seat, now.Add(relayLife))
	return []*consultsv1.IceServer{{Urls: i.urls, Username: user, Credential: password}}
}
