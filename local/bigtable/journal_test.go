package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"cloud.google.com/go/bigtable"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const table, family = "features", "f"

type instance struct {
	t      *testing.T
	server *journaled
	data   *bigtable.Client
	admin  *bigtable.AdminClient
}

func startAt(t *testing.T, file string) instance {
	t.Helper()
	server, err := start("127.0.0.1:0", file)
	if err != nil {
		t.Fatal(err)
	}
	i := instance{t: t, server: server}
	ctx := context.Background()
	i.data, err = bigtable.NewClientWithConfig(ctx, "p", "i", bigtable.ClientConfig{MetricsProvider: bigtable.NoopMetricsProvider{}}, i.connect())
	i.check(err)
	i.admin, err = bigtable.NewAdminClient(ctx, "p", "i", i.connect())
	i.check(err)
	t.Cleanup(server.close)
	return i
}

func (i instance) connect() option.ClientOption {
	connection, err := grpc.NewClient(i.server.Addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	i.check(err)
	i.t.Cleanup(func() { connection.Close() })
	return option.WithGRPCConn(connection)
}

func (i instance) check(err error) {
	i.t.Helper()
	if err != nil {
		i.t.Fatal(err)
	}
}

func (i instance) createTable() {
	i.t.Helper()
	i.check(i.admin.CreateTable(context.Background(), table))
	i.check(i.admin.CreateColumnFamily(context.Background(), table, family))
}

func set(value string, at bigtable.Timestamp) *bigtable.Mutation {
	mutation := bigtable.NewMutation()
	mutation.Set(family, "q", at, []byte(value))
	return mutation
}

func (i instance) push(row string, mutation *bigtable.Mutation) {
	i.t.Helper()
	i.check(i.data.Open(table).Apply(context.Background(), row, mutation))
}

// rows returns every row's newest value and the time of that cell.
func (i instance) rows() map[string]string {
	i.t.Helper()
	found := map[string]string{}
	i.check(i.data.Open(table).ReadRows(context.Background(), bigtable.InfiniteRange(""), func(row bigtable.Row) bool {
		cell := row[family][0]
		found[row.Key()] = string(cell.Value) + "@" + cell.Timestamp.Time().UTC().String()
		return true
	}))
	return found
}

func TestRestartKeepsEveryKindOfChange(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data", "journal")
	before := startAt(t, file)
	before.createTable()
	ctx := context.Background()
	before.push("one", set("1", 1000))
	before.push("now", set("n", bigtable.ServerTime))
	errs, err := before.data.Open(table).ApplyBulk(ctx, []string{"bulk1", "bulk2"}, []*bigtable.Mutation{set("b1", 2000), set("b2", 2000)})
	before.check(err)
	if errs != nil {
		t.Fatal(errs)
	}
	before.push("one", bigtable.NewCondMutation(bigtable.ValueFilter("1"), set("2", 3000), nil))
	gone := bigtable.NewMutation()
	gone.DeleteRow()
	before.push("bulk1", gone)
	before.push("drop1", set("x", 1000))
	before.check(before.admin.DropRowRange(ctx, table, "drop"))
	want := before.rows()
	if len(want) != 3 {
		t.Fatalf("three rows should be there: %v", want)
	}
	before.server.close()

	for range 2 { // the second restart shows that the first one did not write the journal twice
		after := startAt(t, file)
		got := after.rows()
		if len(got) != len(want) {
			t.Fatalf("after the restart %v, before %v", got, want)
		}
		for key, value := range want {
			if got[key] != value {
				t.Errorf("row %s is %q, was %q", key, got[key], value)
			}
		}
		after.server.close()
	}
}

func TestHalfWrittenEntryIsDropped(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal")
	before := startAt(t, file)
	before.createTable()
	before.push("whole", set("1", 1000))
	before.push("half", set("2", 1000))
	before.server.close()
	size := func() int64 {
		info, err := os.Stat(file)
		before.check(err)
		return info.Size()
	}
	before.check(os.Truncate(file, size()-3))

	after := startAt(t, file)
	if got := after.rows(); len(got) != 1 {
		t.Fatalf("only the whole entry counts: %v", got)
	}
	after.push("later", set("3", 1000))
	after.server.close()
	if got := startAt(t, file).rows(); len(got) != 2 {
		t.Fatalf("an entry written after the repair is lost: %v", got)
	}
}

func TestRefusedRequestIsNotKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal")
	before := startAt(t, file)
	before.createTable()
	if err := before.admin.CreateTable(context.Background(), table); err == nil {
		t.Fatal("a second table of the same name was made")
	}
	before.server.close()
	if after := startAt(t, file); after.server.replayed != 2 {
		t.Fatalf("%d requests were kept, want 2", after.server.replayed)
	}
}
