// The part of LiteRT 2's Kotlin interface that bundles use. The model answers from the file "answers" in the
// assets: one line of numbers per run. The accelerators that the system property "refused" names refuse it.
package com.google.ai.edge.litert

import android.content.res.AssetManager

enum class Accelerator { NONE, CPU, GPU, NPU }

class LiteRtException(message: String) : Exception(message)

class TensorBuffer {
    var bytes = ByteArray(0)
    var floats = FloatArray(0)
    fun writeInt8(data: ByteArray) { bytes = data }
    fun readInt8(): ByteArray = bytes
    fun writeFloat(data: FloatArray) { floats = data }
    fun readFloat(): FloatArray = floats
    fun writeInt(data: IntArray) {}
    fun readInt(): IntArray = IntArray(0)
    fun writeLong(data: LongArray) {}
    fun readLong(): LongArray = LongArray(0)
    fun close() {}
}

class CompiledModel private constructor(private val answers: List<List<Double>>) {
    private var run = 0

    class Options(vararg val accelerators: Accelerator)

    fun createInputBuffers(): List<TensorBuffer> = listOf(last)
    fun createOutputBuffers(): List<TensorBuffer> = listOf(TensorBuffer())
    fun run(inputs: List<TensorBuffer>, outputs: List<TensorBuffer>) {
        val answer = answers[run % answers.size]
        outputs[0].bytes = ByteArray(answer.size) { answer[it].toByte() }
        outputs[0].floats = FloatArray(answer.size) { answer[it].toFloat() }
        run += 1
    }
    fun close() {}

    companion object {
        val last = TensorBuffer()

        fun create(assets: AssetManager, name: String, options: Options): CompiledModel {
            val names = options.accelerators.joinToString("+")
            if (names in System.getProperty("refused").split(",")) throw LiteRtException("no $names")
            assets.open(name).close()
            val lines = assets.open("answers").bufferedReader().readLines()
            return CompiledModel(lines.map { line -> line.split(" ").map { it.toDouble() } })
        }
    }
}
