package trackside

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"time"

	wit "github.com/trackside/trackside/plugins/sdk-go/internal/wit/imports/trackside_plugin_http"
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/runtime"
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/types"
)

// Request is an HTTP request. Needs `allow: { http: [ORIGIN] }`; redirects are never followed.
type Request struct {
	// Method is GET, or POST with a body, when it is empty.
	Method  string
	URL     string
	Headers map[string]string
	// Timeout 0 is the step's own limit.
	Timeout time.Duration
	// Body, JSON or Artifact is what is sent; JSON is encoded.
	Body     []byte
	JSON     any
	Artifact *Artifact
}

// Response is the head of a response; its body is read in order.
type Response struct {
	Status  int
	Headers []types.Tuple2[string, string]

	inner *wit.Response
	rest  []byte
	end   bool
}

// Send sends a request and waits for the response's head. Statuses are not errors.
func (*Step) Send(request Request) (*Response, error) {
	method, body, headers := request.Method, request.Body, pairs(request.Headers)
	if request.JSON != nil {
		text, err := json.Marshal(request.JSON)
		if err != nil {
			return nil, Fatal("bad-request", "%s: %w", request.URL, err)
		}
		body = text
		if !hasHeader(headers, "content-type") {
			headers = append(headers, types.Tuple2[string, string]{F0: "content-type", F1: "application/json"})
		}
	}
	if method == "" {
		method = "GET"
		if body != nil || request.Artifact != nil {
			method = "POST"
		}
	}
	head := wit.Request{Method: method, Url: request.URL, Headers: headers, TimeoutMs: types.None[uint64]()}
	if request.Timeout > 0 {
		head.TimeoutMs = types.Some(uint64(request.Timeout.Milliseconds()))
	}
	inner, err := call(httpCases, method+" "+request.URL, func() types.Result[*wit.Response, wit.HttpError] {
		if request.Artifact != nil {
			return wit.SendArtifact(head, request.Artifact.inner)
		}
		return wit.Send(head, body)
	})
	if err != nil {
		return nil, err
	}
	return &Response{Status: int(runtime.Call(inner.Status)), Headers: runtime.Call(inner.Headers), inner: inner}, nil
}

func hasHeader(headers []types.Tuple2[string, string], name string) bool {
	for _, header := range headers {
		if strings.EqualFold(header.F0, name) {
			return true
		}
	}
	return false
}

// Header is the first header of this name, whatever its case.
func (r *Response) Header(name string) string {
	for _, header := range r.Headers {
		if strings.EqualFold(header.F0, name) {
			return header.F1
		}
	}
	return ""
}

// Read reads the body, as io.Reader.
func (r *Response) Read(into []byte) (int, error) {
	if len(r.rest) == 0 && !r.end && len(into) > 0 {
		part, err := callFor(chunk, httpCases, "the response", func() types.Result[[]byte, wit.HttpError] { return r.inner.Read(chunk) })
		if err != nil {
			return 0, err
		}
		r.rest, r.end = part, len(part) == 0
	}
	if r.end {
		return 0, io.EOF
	}
	count := copy(into, r.rest)
	r.rest = r.rest[count:]
	return count, nil
}

// Bytes is the body, when it has at most limit bytes.
func (r *Response) Bytes(limit int64) ([]byte, error) {
	var body bytes.Buffer
	length, err := body.ReadFrom(io.LimitReader(r, limit+1))
	if err == nil && length > limit {
		err = Fatal("too-large", "the response has more than %d bytes", limit)
	}
	return body.Bytes(), err
}

// SaveTo puts the rest of the body straight into an artifact; none of it enters the plugin's memory.
func (r *Response) SaveTo(writer *Writer) (int64, error) {
	if err := writer.flush(); err != nil {
		return 0, err
	}
	saved, err := call(httpCases, "the response", func() types.Result[uint64, wit.HttpError] { return r.inner.SaveTo(writer.inner) })
	writer.written += int64(saved)
	return int64(saved), err
}
