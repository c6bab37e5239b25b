package lru_test

import (
	"testing"

	"lambent.dev/lambent/internal/lib/lru"
)

func TestCacheForgetsTheLeastRecentlyUsed(t *testing.T) {
	c := lru.New[string, int](2)
	c.Put("a", 1)
	c.Put("b", 2)
	c.Get("a")
	c.Put("c", 3)
	if _, ok := c.Get("b"); ok {
		t.Error("b was kept although a was used after it")
	}
	if v, ok := c.Get("a"); !ok || v != 1 {
		t.Errorf("a = %d, %v", v, ok)
	}
	c.Delete("a")
	if _, ok := c.Get("a"); ok || c.Len() != 1 {
		t.Errorf("a is still there, or %d entries are left", c.Len())
	}
}

func TestDeleteFuncForgetsWhatItIsTold(t *testing.T) {
	c := lru.New[int, string](8)
	for k := range 6 {
		c.Put(k, "v")
	}
	c.DeleteFunc(func(k int) bool { return k%2 == 0 })
	if _, ok := c.Get(2); ok || c.Len() != 3 {
		t.Errorf("%d entries are left", c.Len())
	}
}
