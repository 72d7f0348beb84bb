package org.junit

annotation class Test

object Assert {
    @JvmStatic
    fun assertEquals(expected: Double, found: Double, delta: Double) {}
}
