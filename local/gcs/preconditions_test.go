package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

const bucket = "landing"

type client struct {
	t   *testing.T
	url string
}

func start(t *testing.T) client {
	t.Helper()
	handler, err := newHandler("127.0.0.1:1", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c := client{t, server.URL}
	c.expect(200, "POST", "/storage/v1/b?project=p", fmt.Sprintf(`{"name":%q}`, bucket))
	return c
}

func (c client) call(method, path, body string) (int, string) {
	request, err := http.NewRequest(method, c.url+path, bytes.NewBufferString(body))
	if err != nil {
		c.t.Error(err)
		return 0, ""
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Error(err)
		return 0, ""
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}

func (c client) expect(status int, method, path, body string) string {
	c.t.Helper()
	got, text := c.call(method, path, body)
	if got != status {
		c.t.Fatalf("%s %s answered %d, want %d: %s", method, path, got, status, text)
	}
	return text
}

func (c client) upload(name, content string) string {
	c.t.Helper()
	text := c.expect(200, "POST", "/upload/storage/v1/b/"+bucket+"/o?uploadType=media&name="+url.QueryEscape(name), content)
	var attributes struct{ Generation string }
	if err := json.Unmarshal([]byte(text), &attributes); err != nil {
		c.t.Fatal(err)
	}
	return attributes.Generation
}

func path(name string) string { return "/storage/v1/b/" + bucket + "/o/" + url.PathEscape(name) }

func TestStaleGenerationIsRefusedWhereFakestorageIgnoresIt(t *testing.T) {
	compose := `{"sourceObjects":[{"name":"hour/a"}],"destination":{"contentType":"text/plain"}}`
	for _, try := range []struct {
		name, method, path, body string
	}{
		{"get", "GET", path("hour/a") + "?", ""},
		{"download", "GET", "/download" + path("hour/a") + "?alt=media&", ""},
		{"patch", "PATCH", path("hour/a") + "?", `{"metadata":{"k":"v"}}`},
		{"compose", "POST", path("hour/a") + "/compose?", compose},
		{"rewrite", "POST", path("other") + "/rewriteTo/b/" + bucket + "/o/" + url.PathEscape("hour/a") + "?", ""},
		{"copy", "POST", path("other") + "/copyTo/b/" + bucket + "/o/" + url.PathEscape("hour/a") + "?", ""},
		{"delete", "DELETE", path("hour/a") + "?", ""},
	} {
		t.Run(try.name, func(t *testing.T) {
			c := start(t)
			c.upload("other", "other")
			old := c.upload("hour/a", "first")
			live := c.upload("hour/a", "second")
			c.expect(412, try.method, try.path+"ifGenerationMatch="+old, try.body)
			c.expect(412, try.method, try.path+"ifMetagenerationMatch=2", try.body)
			if got := c.expect(200, "GET", path("hour/a")+"?alt=media", ""); got != "second" {
				t.Fatalf("a refused request changed the object: %q", got)
			}
			if got, text := c.call(try.method, try.path+"ifGenerationMatch="+live, try.body); got/100 != 2 {
				t.Fatalf("the live generation was refused: %d %s", got, text)
			}
		})
	}
}

func TestNotMatch(t *testing.T) {
	c := start(t)
	live := c.upload("a", "x")
	c.expect(304, "GET", path("a")+"?ifGenerationNotMatch="+live, "")
	c.expect(412, "DELETE", path("a")+"?ifGenerationNotMatch="+live, "")
	c.expect(200, "GET", path("a")+"?ifGenerationNotMatch=1", "")
}

func TestMissingObject(t *testing.T) {
	c := start(t)
	c.upload("other", "x")
	c.expect(404, "DELETE", path("a")+"?ifGenerationMatch=5", "")
	c.expect(404, "GET", path("a")+"?ifGenerationMatch=5", "")
	rewrite := path("other") + "/rewriteTo/b/" + bucket + "/o/a?ifGenerationMatch="
	c.expect(412, "POST", rewrite+"5", "")
	c.expect(200, "POST", rewrite+"0", "")
	c.expect(412, "POST", rewrite+"0", "")
}

func TestSourceOfACopy(t *testing.T) {
	c := start(t)
	old := c.upload("a", "first")
	live := c.upload("a", "second")
	rewrite := path("a") + "/rewriteTo/b/" + bucket + "/o/b?ifSourceGenerationMatch="
	c.expect(412, "POST", rewrite+old, "")
	c.expect(200, "POST", rewrite+live, "")
}

func TestNotANumber(t *testing.T) {
	c := start(t)
	c.upload("a", "x")
	c.expect(400, "DELETE", path("a")+"?ifGenerationMatch=latest", "")
}

func TestOneOfManyRacingDeletesWins(t *testing.T) {
	c := start(t)
	live := c.upload("a", "x")
	if won := c.race(func(int) int {
		status, _ := c.call("DELETE", path("a")+"?ifGenerationMatch="+live, "")
		return status / 100
	}); won != 1 {
		t.Fatalf("%d deletes of one generation succeeded", won)
	}
}

func TestOneOfManyRacingCreatesWins(t *testing.T) {
	c := start(t)
	c.upload("source", "x")
	if won := c.race(func(i int) int {
		verb := []string{"rewriteTo", "copyTo"}[i%2]
		status, _ := c.call("POST", path("source")+"/"+verb+"/b/"+bucket+"/o/a?ifGenerationMatch=0", "")
		return status / 100
	}); won != 1 {
		t.Fatalf("%d create-only copies succeeded", won)
	}
}

// race runs 24 requests at once and counts those that answered 2xx.
func (c client) race(request func(i int) int) int32 {
	var won atomic.Int32
	var all sync.WaitGroup
	for i := range 24 {
		all.Go(func() {
			if request(i) == 2 {
				won.Add(1)
			}
		})
	}
	all.Wait()
	return won.Load()
}
