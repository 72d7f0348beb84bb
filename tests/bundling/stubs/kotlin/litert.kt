// The part of LiteRT 2's Kotlin interface that bundles use, with buffers that only hold what is written.
package com.google.ai.edge.litert

import android.content.res.AssetManager

enum class Accelerator { NONE, CPU, GPU, NPU }

class TensorBuffer {
    var bytes = ByteArray(0)
    var floats = FloatArray(0)
    fun writeInt8(data: ByteArray) { bytes = data }
    fun readInt8(): ByteArray = ByteArray(10) { (it - 128).toByte() }
    fun writeFloat(data: FloatArray) { floats = data }
    fun readFloat(): FloatArray = floats
    fun writeInt(data: IntArray) {}
    fun readInt(): IntArray = IntArray(0)
    fun close() {}
}

class CompiledModel private constructor() {
    class Options(vararg accelerators: Accelerator)

    fun createInputBuffers(): List<TensorBuffer> = listOf(last)
    fun createOutputBuffers(): List<TensorBuffer> = listOf(TensorBuffer())
    fun run(inputs: List<TensorBuffer>, outputs: List<TensorBuffer>) {}
    fun close() {}

    companion object {
        val last = TensorBuffer()

        fun create(assets: AssetManager, name: String, options: Options): CompiledModel = CompiledModel()
    }
}
