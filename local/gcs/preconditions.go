package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// objects tells the live generation of an object; *fakestorage.Server is the real one.
type objects interface {
	GetObjectStreaming(bucket, name string) (fakestorage.StreamingObject, error)
}

// fakestorage does not count metadata changes: every object it serves says metageneration 1.
const onlyMetageneration = 1

// object is a name in a bucket.
type object struct{ bucket, name string }

// condition is one "if…Match" parameter, bound to the object it speaks about.
type condition struct {
	parameter string
	target    object
	meta      bool // about the metageneration, not the generation
	negated   bool // "…NotMatch"
	want      int64
	// creates: the request writes the target, so a missing target counts as generation 0.
	// Elsewhere a missing target is left to the server, which answers 404.
	creates bool
}

// checkPreconditions refuses requests whose preconditions do not hold, where fakestorage ignores them:
// get, download, delete, patch, update, compose, rewrite and copy. Uploads it checks by itself.
//
// A check and its write must be one step, so mutations run one at a time. Their bodies are read before,
// so a slow client never holds up the others.
func checkPreconditions(store objects, next http.Handler) http.Handler {
	var mutations sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conditions, err := conditionsOf(r)
		if err != nil {
			refuse(w, http.StatusBadRequest, "invalid", err.Error())
			return
		}
		if mutates(r) {
			if err := readBody(r); err != nil {
				refuse(w, http.StatusBadRequest, "invalid", "the request body ended early: "+err.Error())
				return
			}
			mutations.Lock()
			defer mutations.Unlock()
		}
		for _, c := range conditions {
			if !c.holds(store) {
				c.refuse(w, r)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func mutates(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions
}

func readBody(r *http.Request) error {
	var body bytes.Buffer
	if r.ContentLength > 0 {
		body.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	if _, err := io.Copy(&body, r.Body); err != nil {
		return err
	}
	r.Body = io.NopCloser(&body)
	return nil
}

func (c condition) holds(store objects) bool {
	var generation, metageneration int64
	live, err := store.GetObjectStreaming(c.target.bucket, c.target.name)
	if err == nil {
		generation, metageneration = live.Generation, onlyMetageneration
		live.Close()
	} else if !c.creates {
		return true
	}
	have := generation
	if c.meta {
		have = metageneration
	}
	return (have == c.want) != c.negated
}

func (c condition) refuse(w http.ResponseWriter, r *http.Request) {
	if c.negated && !mutates(r) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	refuse(w, http.StatusPreconditionFailed, "conditionNotMet", fmt.Sprintf(
		"At least one of the pre-conditions you specified did not hold: %s=%d for gs://%s/%s.",
		c.parameter, c.want, c.target.bucket, c.target.name))
}

func refuse(w http.ResponseWriter, status int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":{"code":%d,"message":%q,"errors":[{"domain":"global","reason":%q,"message":%q}]}}`,
		status, message, reason, message)
}

// conditionsOf reads the conditions of a request to an object; none for any other request.
func conditionsOf(r *http.Request) ([]condition, error) {
	source, destination, ok := objectsOf(r.URL.EscapedPath())
	if !ok {
		return nil, nil
	}
	target, creates := source, false
	if destination != nil {
		target, creates = *destination, true
	}
	conditions, err := parse(r.URL.Query(), "if", target, creates)
	if err != nil || destination == nil {
		return conditions, err
	}
	ofSource, err := parse(r.URL.Query(), "ifSource", source, false)
	return append(conditions, ofSource...), err
}

func parse(query url.Values, prefix string, target object, creates bool) ([]condition, error) {
	var found []condition
	for _, c := range []condition{
		{parameter: "GenerationMatch"},
		{parameter: "GenerationNotMatch", negated: true},
		{parameter: "MetagenerationMatch", meta: true},
		{parameter: "MetagenerationNotMatch", meta: true, negated: true},
	} {
		c.parameter, c.target, c.creates = prefix+c.parameter, target, creates
		text := query.Get(c.parameter)
		if text == "" {
			continue
		}
		want, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("Invalid value %q for %s: it must be a whole number.", text, c.parameter)
		}
		c.want = want
		found = append(found, c)
	}
	return found, nil
}

// objectsOf splits the path of an object request into the object it names and, for compose, rewrite and
// copy, the object it writes. ok is false for every other path (lists, buckets, uploads).
func objectsOf(path string) (source object, destination *object, ok bool) {
	rest, found := strings.CutPrefix(path, "/storage/v1/b/")
	if !found {
		rest, found = strings.CutPrefix(path, "/download/storage/v1/b/")
	}
	if !found {
		return object{}, nil, false
	}
	for _, verb := range []string{"/rewriteTo/b/", "/copyTo/b/"} {
		if from, to, copies := strings.Cut(rest, verb); copies {
			source, ok = objectOf(from)
			written, alsoOk := objectOf(to)
			return source, &written, ok && alsoOk
		}
	}
	if composed, composes := strings.CutSuffix(rest, "/compose"); composes {
		written, ok := objectOf(composed)
		return written, &written, ok
	}
	source, ok = objectOf(rest)
	return source, nil, ok
}

func objectOf(path string) (object, bool) {
	bucket, escaped, ok := strings.Cut(path, "/o/")
	name, err := url.PathUnescape(escaped)
	return object{bucket, name}, ok && err == nil && name != ""
}
