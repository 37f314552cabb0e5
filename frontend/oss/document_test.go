package oss_test

import (
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

// TestDocumentsTakeWhatTheyAre refuses documents that are made to take many times their bytes.
func TestDocumentsTakeWhatTheyAre(t *testing.T) {
	h := anonymous(memoryEngine(t))
	play(t, h, []exchange{{"PUT /bucket", "", 200, ""}})
	fill := func(head, unit, tail string) string {
		return head + strings.Repeat(unit, (4<<20-len(head)-len(tail))/len(unit)) + tail
	}
	const head, tail = "<Delete><Object><Key>", "</Key></Object></Delete>"
	for what, body := range map[string]string{
		"characters that become references": fill(head, "\x01", tail),
		"references":                        fill(head, "&", tail),
		"attributes":                        fill("<Delete", " a=''", "></Delete>"),
		"attributes of many":                fill("<Delete>", "<Object"+strings.Repeat(" a=''", 1000)+"/>", "</Delete>"),
	} {
		r := httptest.NewRequest("POST", "/bucket?delete", strings.NewReader(body))
		w := httptest.NewRecorder()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		h.ServeHTTP(w, r)
		runtime.ReadMemStats(&after)
		if got := w.Body.String(); w.Code != 400 || !strings.Contains(got, "<Code>MalformedXML</Code>") {
			t.Errorf("%s: %d %.200s", what, w.Code, got)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 32<<20 {
			t.Errorf("%s: %d bytes take %d MiB", what, len(body), took>>20)
		}
	}
	play(t, h, []exchange{{"POST /bucket?delete", "<Delete><Object><Key>" + strings.Repeat("=", 1023) + "</Key></Object></Delete>", 200, ""}})
	// What is longer with its references written out is read.
	object := "<Object><Key>" + strings.Repeat("&amp;", 420) + strings.Repeat("k", 600) + "</Key></Object>"
	play(t, h, []exchange{{"POST /bucket?delete", "<Delete>" + strings.Repeat(object, 1000) + "</Delete>", 200, ""}})
}
