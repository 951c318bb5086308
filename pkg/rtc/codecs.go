package rtc

import (
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v3"
)

const (
	typeOpus = 111
	typeVP8  = 96
)

func codecs(feedback ...webrtc.RTCPFeedback) (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	err := m.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1",
			RTCPFeedback: []webrtc.RTCPFeedback{{Type: webrtc.TypeRTCPFBNACK}},
		}, PayloadType: typeOpus,
	}, webrtc.RTPCodecTypeAudio)
	if err != nil {
		return nil, err
	}
	return m, m.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeVP8, ClockRate: 90000,
			RTCPFeedback: append([]webrtc.RTCPFeedback{
				{Type: webrtc.TypeRTCPFBGoogREMB},
				{Type: webrtc.TypeRTCPFBCCM, Parameter: "fir"},
				{Type: webrtc.TypeRTCPFBNACK},
				{Type: webrtc.TypeRTCPFBNACK, Parameter: "pli"},
			}, feedback...),
		}, PayloadType: typeVP8,
	}, webrtc.RTPCodecTypeVideo)
}

// publishAPI makes the connections that browsers send on: lost packets are
// asked for, and transport-wide feedback lets the browser find its own rate.
func publishAPI(s webrtc.SettingEngine) (*webrtc.API, error) {
	m, err := codecs(webrtc.RTCPFeedback{Type: webrtc.TypeRTCPFBTransportCC})
	if err != nil {
		return nil, err
	}
	for _, uri := range []string{sdp.SDESMidURI, sdp.SDESRTPStreamIDURI, sdesRepairedStreamID, sdp.TransportCCURI} {
		if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, webrtc.RTPCodecTypeVideo); err != nil {
			return nil, err
		}
	}
	for _, uri := range []string{sdp.SDESMidURI, sdp.TransportCCURI} {
		if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, webrtc.RTPCodecTypeAudio); err != nil {
			return nil, err
		}
	}
	i := &interceptor.Registry{}
	lost, err := nack.NewGeneratorInterceptor(nack.GeneratorInterval(40*time.Millisecond), nack.GeneratorMaxNacksPerPacket(5))
	if err != nil {
		return nil, err
	}
	reports, err := report.NewReceiverInterceptor()
	if err != nil {
		return nil, err
	}
	feedback, err := twcc.NewSenderInterceptor()
	if err != nil {
		return nil, err
	}
	i.Add(lost)
	i.Add(reports)
	i.Add(feedback)
	return webrtc.NewAPI(webrtc.WithSettingEngine(s), webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(i)), nil
}

// apis make the two connections of a seat.
type apis struct{ publish, subscribe *webrtc.API }

func newAPIs(s webrtc.SettingEngine) (a apis, err error) {
	if a.publish, err = publishAPI(s); err == nil {
		a.subscribe, err = subscribeAPI(s)
	}
	return a, err
}

const sdesRepairedStreamID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"

// subscribeAPI makes the connections that browsers receive on. There is no
// NACK responder: receivers share the track's packet cache. Send times let
// browsers estimate their rate (REMB).
func subscribeAPI(s webrtc.SettingEngine) (*webrtc.API, error) {
	m, err := codecs()
	if err != nil {
		return nil, err
	}
	if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.ABSSendTimeURI}, webrtc.RTPCodecTypeVideo); err != nil {
		return nil, err
	}
	i := &interceptor.Registry{}
	reports, err := report.NewSenderInterceptor()
	if err != nil {
		return nil, err
	}
	i.Add(reports)
	return webrtc.NewAPI(webrtc.WithSettingEngine(s), webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(i)), nil
}
